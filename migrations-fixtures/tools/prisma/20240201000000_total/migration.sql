-- AlterTable
ALTER TABLE "Order" ADD COLUMN "total" DECIMAL(65,30);
