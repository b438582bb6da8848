BEGIN;
--
-- Add field total to order
--
ALTER TABLE "shop_order" ADD COLUMN "total" integer DEFAULT 0 NOT NULL;
ALTER TABLE "shop_order" ALTER COLUMN "total" DROP DEFAULT;
--
-- Raw Python operation
--
-- THIS OPERATION CANNOT BE WRITTEN AS SQL
--
-- Raw SQL operation
--
UPDATE shop_order SET note = 'a;b' WHERE note = '%';
CREATE INDEX "shop_order_total_5d6d00f1" ON "shop_order" ("total");
COMMIT;
