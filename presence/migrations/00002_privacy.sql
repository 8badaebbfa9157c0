-- +goose Up

-- What people have decided about what is told of them, beside what they have chosen to be seen as: both are read at once when they come.
ALTER TABLE presence_choice ADD COLUMN infer_activity boolean NOT NULL DEFAULT false;
ALTER TABLE presence_choice ADD COLUMN country boolean NOT NULL DEFAULT false;
ALTER TABLE presence_choice ADD COLUMN hide_last_seen boolean NOT NULL DEFAULT false;

-- In which hour somebody was last told as here. Of who hides it there is no row.
CREATE TABLE presence_seen (
    workspace text    NOT NULL,
    user_id   text    NOT NULL,
    hour      integer NOT NULL, -- since 1970
    PRIMARY KEY (workspace, user_id)
);

-- +goose Down
DROP TABLE presence_seen;
ALTER TABLE presence_choice DROP COLUMN hide_last_seen;
ALTER TABLE presence_choice DROP COLUMN country;
ALTER TABLE presence_choice DROP COLUMN infer_activity;
