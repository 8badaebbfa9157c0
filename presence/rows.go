package presence

import (
	"context"
	"database/sql"
	"fmt"
)

// each hands the rows of a query to a function, one by one.
func each(ctx context.Context, query func(context.Context, string, ...any) (*sql.Rows, error), text string, args []any, f func(*sql.Rows) error) error {
	rows, err := query(ctx, text, args...)
	if err != nil {
		return fmt.Errorf("presence: query: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return fmt.Errorf("presence: read: %w", err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("presence: read: %w", err)
	}
	return nil
}
