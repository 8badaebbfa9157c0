package chat

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"plenum.internal/mesh/letters"
	"plenum.internal/mesh/rpc"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Limits of what people may write; chat.proto names them to clients.
const (
	MaxText         = 16 << 10 // bytes of a message or draft
	MaxName         = 64       // bytes
	MaxTopic        = 250      // bytes
	MaxPurpose      = 1000     // bytes
	MaxEmoji        = 64       // bytes
	MaxContext      = 8
	MaxMembers      = 50_000
	MaxChannels     = 5000 // that one person is in; who joins two at the same moment may come to one more
	MaxAdded        = 100  // people in one AddMembers
	MaxPeople       = 10   // in a group direct channel, oneself included
	MaxEmojis       = 32   // different ones on a message
	MaxReactions    = 1000
	MaxReactionsOne = 16 // by one person on a message
	MaxPins         = 100
	MaxEdits        = 200
	MaxDrafts       = 200
	MaxMentions     = 50 // people named in a message
	MaxGroups       = 10 // groups named in a message
	MaxFollowers    = 200
)

// Permissions of tokens, as identity's policy matrix names them.
const (
	mayPost   = "chat.post"
	mayCall   = "chat.mention_all"
	mayEdit   = "chat.edit_own"
	mayDelete = "chat.delete_others"
	mayCreate = "chat.create_channel"
	mayManage = "chat.manage_channels"
)

// Names of topics, up to the id.
const (
	topicChannel = "chat.channel/"
	topicUser    = "chat.user/"
	topicMine    = "chat.mine/"
)

// What is answered where the same words serve in several places.
var (
	errChannel   = rpc.Errorf(edgev1.Code_CODE_NOT_FOUND, "chat.CHANNEL", "There is no such channel, or you were not let in.")
	errMessage   = rpc.Errorf(edgev1.Code_CODE_NOT_FOUND, "chat.MESSAGE", "There is no such message.").On("offset")
	errPerson    = rpc.Errorf(edgev1.Code_CODE_NOT_FOUND, "chat.PERSON", "There is no such person. If they have just joined, try again in a moment.")
	errArchived  = rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "chat.ARCHIVED", "This channel is archived. Somebody who manages it can bring it back.")
	errNotMember = rpc.Errorf(edgev1.Code_CODE_PERMISSION_DENIED, "chat.NOT_A_MEMBER", "Join the channel first.")
	errForbidden = rpc.Errorf(edgev1.Code_CODE_PERMISSION_DENIED, "chat.FORBIDDEN", "Your role does not allow this. Ask somebody who manages the channel.")
	errNotAuthor = rpc.Errorf(edgev1.Code_CODE_PERMISSION_DENIED, "chat.FORBIDDEN", "Only its author can edit a message.")
	errNameTaken = rpc.Errorf(edgev1.Code_CODE_CONFLICT, "chat.NAME_TAKEN", "A channel of this name exists. Choose another name.").On("name")
	errLastOwner = rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "chat.LAST_OWNER", "The channel needs an owner. Make somebody else an owner first.")
	errDeleted   = rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "chat.DELETED", "This message was deleted.").On("offset")
	errWrongKind = rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "chat.WRONG_KIND", "This can't be done in a direct channel.")
	errKey       = rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "chat.KEY_MISSING", "Send a client_id and a client_seq with this call.").On("client_seq")
)

func errLimit(format string, args ...any) error {
	return rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "chat.LIMIT", format, args...)
}

func badField(field, format string, args ...any) error {
	return rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "chat.BAD_FIELD", format, args...).On(field)
}

// checkText accepts 1 byte to MaxText of UTF-8 with something to see in it.
func checkText(s string) error {
	seen := strings.ContainsFunc(s, func(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) && !blank(r) })
	if err := checkPlain("text", s, MaxText); err != nil {
		return err
	}
	if !seen {
		return rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "chat.EMPTY", "The message is empty. Write something.").On("text")
	}
	return nil
}

// blank characters show nothing, though Unicode counts them as graphic.
func blank(r rune) bool {
	return r == '\u2800' || r == '\u3164' || r == '\u115f' || r == '\u1160' || r == '\uffa0'
}

// checkPlain accepts at most limit bytes of UTF-8 without zero bytes, which PostgreSQL can't keep.
func checkPlain(field, s string, limit int) error {
	switch {
	case len(s) > limit:
		return rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "chat.TOO_LONG", "Too long: %d bytes are allowed, these are %d.", limit, len(s)).On(field)
	case !utf8.ValidString(s):
		return rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "chat.NOT_UTF8", "The text is not UTF-8.").On(field)
	case strings.ContainsRune(s, 0):
		return badField(field, "The text has a zero byte in it. Remove it.")
	}
	return nil
}

// channelName folds a name as it is kept and compared: NFC, lower case.
func channelName(s string) (string, error) {
	if err := checkPlain("name", s, MaxName); err != nil {
		return "", err
	}
	name := strings.ToLower(norm.NFC.String(s))
	for i, r := range name {
		word := unicode.IsLetter(r) || unicode.IsDigit(r)
		if unseen(r) || !word && (i == 0 || !strings.ContainsRune("-_.", r) && !unicode.IsMark(r)) {
			return "", badField("name", "A name has letters, digits, '-', '_' and '.', none of them invisible, and starts with a letter or digit.")
		}
	}
	if name == "" || len(name) > MaxName {
		return "", badField("name", "A name has 1 to %d bytes.", MaxName)
	}
	return name, checkMarks("name", name)
}

// checkMarks keeps what stands in a line among others from scribbling over these.
func checkMarks(field, s string) error {
	if letters.Crowded(s) {
		return badField(field, "Put at most %d accents on a letter.", letters.MaxMarks)
	}
	return nil
}

// unseen are letters and marks, by their category, that show nothing: names that differ only by these would look the same.
func unseen(r rune) bool {
	return blank(r) || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// checkEmoji accepts one emoji, or the name of one: what else there is could be words, or drawn over what is beside it.
func checkEmoji(s string) error {
	if err := checkReaction(s); err != nil {
		return err
	}
	if !reaction.MatchString(s) {
		return badField("emoji", "React with one emoji, like 👍, or the name of one, like :tada:.")
	}
	return nil
}

// checkReaction accepts what a reaction was before it had to be an emoji, so that each can be taken back.
func checkReaction(s string) error {
	if err := checkPlain("emoji", s, MaxEmoji); err != nil {
		return err
	}
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return badField("emoji", "Name one emoji, without spaces.")
	}
	return nil
}

func checkOffset(field string, n uint64) error {
	if n == 0 || n >= 1<<53 {
		return badField(field, "Name the offset of a message.")
	}
	return nil
}

// validID tells whether s can be an id; what can't is answered as absent, before any lookup.
func validID(s string) bool {
	if s == "" || len(s) > 26 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// pageSize applies a default and a maximum.
func pageSize(asked uint32, usual, most int) (int, error) {
	switch {
	case asked == 0:
		return usual, nil
	case int(asked) > most:
		return 0, badField("limit", "At most %d at once.", most)
	}
	return int(asked), nil
}

func direct(k chatv1.ChannelKind) bool {
	return k == chatv1.ChannelKind_CHANNEL_KIND_DIRECT || k == chatv1.ChannelKind_CHANNEL_KIND_GROUP
}
