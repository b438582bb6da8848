CREATE TABLE "orders" ("id" bigint PRIMARY KEY);--> statement-breakpoint
CREATE TABLE "items" ("id" bigint);
