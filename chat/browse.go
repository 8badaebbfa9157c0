package chat

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

const (
	maxWords   = 4      // that are looked for at once
	maxBrowsed = 10_000 // names that a page is looked for in: what is read for one has a bound, however many channels there are
)

// BrowseChannels lists public channels by name; for a guest, those joined.
func (s *Server) BrowseChannels(ctx context.Context, req *chatv1.BrowseChannelsRequest) (*chatv1.BrowseChannelsResponse, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	limit, err := pageSize(req.GetLimit(), 100, 200)
	if err != nil {
		return nil, err
	}
	prefix, beyond := "", ""
	if req.GetPrefix() != "" {
		if prefix, err = channelName(req.GetPrefix()); err != nil {
			return nil, rpc.Errorf(rpc.CodeOf(err), "chat.BAD_FIELD", "No channel's name begins like this.").On("prefix")
		}
	}
	words, possible, err := wordPatterns(req.GetWords())
	if err != nil {
		return nil, err
	}
	if err := readPage(req.GetPage(), &beyond); err != nil {
		return nil, err
	}
	res := &chatv1.BrowseChannelsResponse{}
	if !possible {
		return res, nil
	}
	filter := []any{prefix, req.GetArchived(), caller.Kind == auth.KindGuest, limit + 1, words[0], words[1], words[2], words[3]}
	err = s.db.Read(ctx, func(tx *sql.Tx) error {
		end, err := endOfLook(ctx, tx, caller.Workspace, beyond)
		if err != nil {
			return err
		}
		res.Channels, err = browse(ctx, tx, caller, beyond, end, filter)
		res.Next = ""
		if end != "" {
			res.Next = pageToken(end)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("chat: browse: %w", err)
	}
	if len(res.GetChannels()) > limit {
		res.Channels = res.GetChannels()[:limit]
		res.Next = pageToken(res.GetChannels()[limit-1].GetName())
	}
	return res, nil
}

// endOfLook is the last name that a page is looked for in whose place is beyond; empty where that are all.
func endOfLook(ctx context.Context, tx *sql.Tx, workspace, beyond string) (end string, err error) {
	err = tx.QueryRowContext(ctx, `SELECT name FROM chat_channel WHERE workspace = $1 AND kind = 1 AND name > $2 ORDER BY name LIMIT 1 OFFSET $3`,
		workspace, beyond, maxBrowsed-1).Scan(&end)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return end, err
}

// spelt is a channel's name in which every word has a hyphen before it.
const spelt = `'-' || replace(replace(c.name, '_', '-'), '.', '-')`

// browse reads public channels by name: beyond one and up to another (empty: all). The filter is: of a prefix, archived ones or not, those that a guest is in or all, so
// many, and of maxWords patterns, of which an empty one is any.
func browse(ctx context.Context, tx *sql.Tx, caller auth.Caller, beyond, end string, filter []any) (found []*chatv1.Channel, err error) {
	args, upTo := append([]any{caller.Workspace, caller.User, beyond}, filter...), ""
	if end != "" { // by itself, so that the index is read no further
		args, upTo = append(args, end), ` AND c.name <= $12`
	}
	err = each(ctx, tx.QueryContext, `SELECT c.id, `+channelColumns+` FROM chat_channel c
		LEFT JOIN chat_member m ON m.workspace = c.workspace AND m.channel = c.id AND m.user_id = $2
		WHERE c.workspace = $1 AND c.kind = 1 AND c.name > $3`+upTo+` AND substr(c.name, 1, length($4)) = $4
			AND ($8 = '' OR `+spelt+` LIKE $8) AND ($9 = '' OR `+spelt+` LIKE $9) AND ($10 = '' OR `+spelt+` LIKE $10) AND ($11 = '' OR `+spelt+` LIKE $11)
			AND (c.archived = false OR $5) AND (m.user_id IS NOT NULL OR NOT $6) ORDER BY c.name LIMIT $7`,
		args, func(r *sql.Rows) error {
			ch := channel{channelKey: channelKey{workspace: caller.Workspace}}
			fields, done := ch.scan()
			if err := r.Scan(append([]any{&ch.channel}, fields...)...); err != nil {
				return fmt.Errorf("scan: %w", err)
			}
			done()
			found = append(found, ch.proto())
			return nil
		})
	return found, err
}

// wordPatterns are the patterns of names as spelt in which each of some words begins a word. Not possible: no name has such a word.
func wordPatterns(s string) (patterns [maxWords]string, possible bool, err error) {
	if err := checkPlain("words", s, MaxName); err != nil {
		return patterns, false, err
	}
	n := 0
	for word := range strings.FieldsSeq(s) {
		if word = strings.TrimLeft(word, "#-_."); word == "" {
			continue
		}
		if n == maxWords {
			return patterns, false, badField("words", "Look for at most %d words at once.", maxWords)
		}
		name, err := channelName(word)
		if err != nil {
			return patterns, false, nil // what no name may be is found in none
		}
		before := "%-"
		if r := []rune(name)[0]; unicode.In(r, unspaced...) {
			before = "%"
		}
		patterns[n] = before + strings.NewReplacer("_", "-", ".", "-").Replace(name) + "%" // what else a pattern knows no name has
		n++
	}
	return patterns, true, nil
}

// unspaced are the scripts that have no blanks between words: there a word begins anywhere.
var unspaced = []*unicode.RangeTable{unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar}
