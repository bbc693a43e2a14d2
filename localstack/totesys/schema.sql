-- TotalTotes' shop, as its Prisma application has migrated it. The order of the columns is the application's.

CREATE TYPE "payment_type_enum" AS ENUM ('SALES_RECEIPT', 'SALES_REFUND', 'PURCHASE_PAYMENT', 'PURCHASE_REFUND');

CREATE TYPE "transaction_type_enum" AS ENUM ('SALE', 'PURCHASE');

CREATE TABLE "address" (
    "address_id" SERIAL NOT NULL,
    "address_line_1" TEXT NOT NULL,
    "address_line_2" TEXT,
    "district" TEXT,
    "city" TEXT NOT NULL,
    "postal_code" TEXT NOT NULL,
    "country" TEXT NOT NULL,
    "phone" TEXT NOT NULL,
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "last_updated" TIMESTAMP(3) NOT NULL,

    CONSTRAINT "address_pkey" PRIMARY KEY ("address_id")
);

CREATE TABLE "counterparty" (
    "counterparty_id" SERIAL NOT NULL,
    "counterparty_legal_name" TEXT NOT NULL,
    "legal_address_id" INTEGER NOT NULL,
    "commercial_contact" TEXT,
    "delivery_contact" TEXT,
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "last_updated" TIMESTAMP(3) NOT NULL,

    CONSTRAINT "counterparty_pkey" PRIMARY KEY ("counterparty_id")
);

CREATE TABLE "currency" (
    "currency_id" SERIAL NOT NULL,
    "currency_code" VARCHAR(3) NOT NULL,
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "last_updated" TIMESTAMP(3) NOT NULL,

    CONSTRAINT "currency_pkey" PRIMARY KEY ("currency_id")
);

CREATE TABLE "department" (
    "department_id" SERIAL NOT NULL,
    "department_name" TEXT NOT NULL,
    "location" TEXT,
    "manager" TEXT,
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "last_updated" TIMESTAMP(3) NOT NULL,

    CONSTRAINT "department_pkey" PRIMARY KEY ("department_id")
);

CREATE TABLE "design" (
    "design_id" SERIAL NOT NULL,
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "design_name" TEXT NOT NULL,
    "file_location" TEXT NOT NULL,
    "file_name" TEXT NOT NULL,
    "last_updated" TIMESTAMP(3) NOT NULL,

    CONSTRAINT "design_pkey" PRIMARY KEY ("design_id")
);

CREATE TABLE "staff" (
    "staff_id" SERIAL NOT NULL,
    "first_name" TEXT NOT NULL,
    "last_name" TEXT NOT NULL,
    "department_id" INTEGER NOT NULL,
    "email_address" TEXT NOT NULL,
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "last_updated" TIMESTAMP(3) NOT NULL,

    CONSTRAINT "staff_pkey" PRIMARY KEY ("staff_id")
);

CREATE TABLE "payment_type" (
    "payment_type_id" SERIAL NOT NULL,
    "payment_type_name" "payment_type_enum" NOT NULL,
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "last_updated" TIMESTAMP(3) NOT NULL,

    CONSTRAINT "payment_type_pkey" PRIMARY KEY ("payment_type_id")
);

CREATE TABLE "sales_order" (
    "sales_order_id" SERIAL NOT NULL,
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "last_updated" TIMESTAMP(3) NOT NULL,
    "design_id" INTEGER NOT NULL,
    "staff_id" INTEGER NOT NULL,
    "counterparty_id" INTEGER NOT NULL,
    "units_sold" INTEGER NOT NULL,
    "unit_price" DECIMAL(10,2) NOT NULL,
    "currency_id" INTEGER NOT NULL,
    "agreed_delivery_date" TEXT NOT NULL,
    "agreed_payment_date" TEXT NOT NULL,
    "agreed_delivery_location_id" INTEGER NOT NULL,

    CONSTRAINT "sales_order_pkey" PRIMARY KEY ("sales_order_id")
);

CREATE TABLE "purchase_order" (
    "purchase_order_id" SERIAL NOT NULL,
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "last_updated" TIMESTAMP(3) NOT NULL,
    "staff_id" INTEGER NOT NULL,
    "counterparty_id" INTEGER NOT NULL,
    "item_code" TEXT NOT NULL,
    "item_quantity" INTEGER NOT NULL,
    "item_unit_price" DECIMAL(10,2) NOT NULL,
    "currency_id" INTEGER NOT NULL,
    "agreed_delivery_date" TEXT NOT NULL,
    "agreed_payment_date" TEXT NOT NULL,
    "agreed_delivery_location_id" INTEGER NOT NULL,

    CONSTRAINT "purchase_order_pkey" PRIMARY KEY ("purchase_order_id")
);

CREATE TABLE "transaction" (
    "transaction_id" SERIAL NOT NULL,
    "transaction_type" "transaction_type_enum" NOT NULL,
    "sales_order_id" INTEGER,
    "purchase_order_id" INTEGER,
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "last_updated" TIMESTAMP(3) NOT NULL,

    CONSTRAINT "transaction_pkey" PRIMARY KEY ("transaction_id")
);

CREATE TABLE "payment" (
    "payment_id" SERIAL NOT NULL,
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "last_updated" TIMESTAMP(3) NOT NULL,
    "transaction_id" INTEGER NOT NULL,
    "counterparty_id" INTEGER NOT NULL,
    "payment_amount" DECIMAL(10,2) NOT NULL,
    "currency_id" INTEGER NOT NULL,
    "payment_type_id" INTEGER NOT NULL,
    "paid" BOOLEAN NOT NULL,
    "payment_date" TEXT NOT NULL,
    "company_ac_number" INTEGER NOT NULL,
    "counterparty_ac_number" INTEGER NOT NULL,

    CONSTRAINT "payment_pkey" PRIMARY KEY ("payment_id")
);

CREATE UNIQUE INDEX "transaction_sales_order_id_key" ON "transaction"("sales_order_id");

CREATE UNIQUE INDEX "transaction_purchase_order_id_key" ON "transaction"("purchase_order_id");

CREATE UNIQUE INDEX "payment_transaction_id_key" ON "payment"("transaction_id");

ALTER TABLE "counterparty" ADD CONSTRAINT "counterparty_legal_address_id_fkey" FOREIGN KEY ("legal_address_id") REFERENCES "address"("address_id") ON DELETE RESTRICT ON UPDATE CASCADE;

ALTER TABLE "staff" ADD CONSTRAINT "staff_department_id_fkey" FOREIGN KEY ("department_id") REFERENCES "department"("department_id") ON DELETE RESTRICT ON UPDATE CASCADE;

ALTER TABLE "sales_order" ADD CONSTRAINT "sales_order_design_id_fkey" FOREIGN KEY ("design_id") REFERENCES "design"("design_id") ON DELETE RESTRICT ON UPDATE CASCADE;

ALTER TABLE "sales_order" ADD CONSTRAINT "sales_order_staff_id_fkey" FOREIGN KEY ("staff_id") REFERENCES "staff"("staff_id") ON DELETE RESTRICT ON UPDATE CASCADE;

ALTER TABLE "sales_order" ADD CONSTRAINT "sales_order_counterparty_id_fkey" FOREIGN KEY ("counterparty_id") REFERENCES "counterparty"("counterparty_id") ON DELETE RESTRICT ON UPDATE CASCADE;

ALTER TABLE "sales_order" ADD CONSTRAINT "sales_order_currency_id_fkey" FOREIGN KEY ("currency_id") REFERENCES "currency"("currency_id") ON DELETE RESTRICT ON UPDATE CASCADE;

ALTER TABLE "sales_order" ADD CONSTRAINT "sales_order_agreed_delivery_location_id_fkey" FOREIGN KEY ("agreed_delivery_location_id") REFERENCES "address"("address_id") ON DELETE RESTRICT ON UPDATE CASCADE;

ALTER TABLE "purchase_order" ADD CONSTRAINT "purchase_order_staff_id_fkey" FOREIGN KEY ("staff_id") REFERENCES "staff"("staff_id") ON DELETE RESTRICT ON UPDATE CASCADE;

ALTER TABLE "purchase_order" ADD CONSTRAINT "purchase_order_counterparty_id_fkey" FOREIGN KEY ("counterparty_id") REFERENCES "counterparty"("counterparty_id") ON DELETE RESTRICT ON UPDATE CASCADE;

ALTER TABLE "purchase_order" ADD CONSTRAINT "purchase_order_currency_id_fkey" FOREIGN KEY ("currency_id") REFERENCES "currency"("currency_id") ON DELETE RESTRICT ON UPDATE CASCADE;

ALTER TABLE "purchase_order" ADD CONSTRAINT "purchase_order_agreed_delivery_location_id_fkey" FOREIGN KEY ("agreed_delivery_location_id") REFERENCES "address"("address_id") ON DELETE RESTRICT ON UPDATE CASCADE;

ALTER TABLE "transaction" ADD CONSTRAINT "transaction_sales_order_id_fkey" FOREIGN KEY ("sales_order_id") REFERENCES "sales_order"("sales_order_id") ON DELETE SET NULL ON UPDATE CASCADE;

ALTER TABLE "transaction" ADD CONSTRAINT "transaction_purchase_order_id_fkey" FOREIGN KEY ("purchase_order_id") REFERENCES "purchase_order"("purchase_order_id") ON DELETE SET NULL ON UPDATE CASCADE;

ALTER TABLE "payment" ADD CONSTRAINT "payment_transaction_id_fkey" FOREIGN KEY ("transaction_id") REFERENCES "transaction"("transaction_id") ON DELETE RESTRICT ON UPDATE CASCADE;

ALTER TABLE "payment" ADD CONSTRAINT "payment_counterparty_id_fkey" FOREIGN KEY ("counterparty_id") REFERENCES "counterparty"("counterparty_id") ON DELETE RESTRICT ON UPDATE CASCADE;

ALTER TABLE "payment" ADD CONSTRAINT "payment_currency_id_fkey" FOREIGN KEY ("currency_id") REFERENCES "currency"("currency_id") ON DELETE RESTRICT ON UPDATE CASCADE;

ALTER TABLE "payment" ADD CONSTRAINT "payment_payment_type_id_fkey" FOREIGN KEY ("payment_type_id") REFERENCES "payment_type"("payment_type_id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- Prisma's own table, in the same schema: not the shop's, and not ours to read.
CREATE TABLE "_prisma_migrations" (
    "id" VARCHAR(36) NOT NULL,
    "checksum" VARCHAR(64) NOT NULL,
    "finished_at" TIMESTAMPTZ,
    "migration_name" VARCHAR(255) NOT NULL,
    "logs" TEXT,
    "rolled_back_at" TIMESTAMPTZ,
    "started_at" TIMESTAMPTZ NOT NULL DEFAULT now(),
    "applied_steps_count" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "_prisma_migrations_pkey" PRIMARY KEY ("id")
);

INSERT INTO "_prisma_migrations" ("id", "checksum", "finished_at", "migration_name", "started_at", "applied_steps_count")
VALUES (
    'd5c9a2b0-5b1e-4f0a-9a64-2f3f0a6a7c11',
    '7a1f9c1f0f0f3e7f5f2c7d9d7cb0a1a5f9e4f5f1b3b7d2c6e8a4908172635465',
    '2022-11-03 14:20:48.117+00',
    '20221103141500_init',
    '2022-11-03 14:20:47.902+00',
    1
);
