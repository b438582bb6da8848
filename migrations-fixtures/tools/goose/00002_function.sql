-- +goose Up
-- +goose StatementBegin
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.id := NEW.id;
  RETURN NEW;
END;
$$;
-- +goose StatementEnd
ALTER TABLE orders ADD COLUMN total numeric;

-- +goose Down
ALTER TABLE orders DROP COLUMN total;
