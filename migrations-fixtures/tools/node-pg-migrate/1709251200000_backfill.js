exports.up = (pgm) => pgm.sql("select 1");
