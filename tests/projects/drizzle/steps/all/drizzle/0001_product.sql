ALTER TABLE "orders" ADD COLUMN "product_id" bigint;--> statement-breakpoint
ALTER TABLE "orders" ADD CONSTRAINT "orders_product" FOREIGN KEY ("product_id") REFERENCES "public"."products"("id");
