// Package ctl holds the commands of plenumctl.
package ctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"plenum.internal/client"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Version is told to servers as the agent.
const Version = "plenumctl/0.1"

// Exit codes: 0 done, 1 refused or failed, 2 the command line is wrong.
const (
	exitFailed = 1
	exitUsage  = 2
)

type commands struct {
	Server    string `help:"Address of the server, http://host:port. Once signed in it is known; another gateway of the same Plenum serves as well." env:"PLENUM_SERVER" placeholder:"URL"`
	Profile   string `help:"Which account to use; each has a folder of its own." default:"default" env:"PLENUM_PROFILE"`
	Transport string `help:"How to connect where a command stays connected: by a WebSocket, by server-sent events or by polls where something on the way lets none through; auto finds out." enum:"auto,websocket,sse,poll" default:"auto" env:"PLENUM_TRANSPORT" placeholder:"auto|websocket|sse|poll"`
	JSON      bool   `name:"json" help:"Print JSON, one object a line, for scripts."`

	Setup     setupCmd     `cmd:"" help:"Create a workspace by the link that the server printed at its first start."`
	Join      joinCmd      `cmd:"" help:"Create an account by an invitation's link."`
	Login     loginCmd     `cmd:"" help:"Sign in."`
	Reset     resetCmd     `cmd:"" help:"Choose a new password by the link that an administrator made."`
	Logout    logoutCmd    `cmd:"" help:"Sign out and forget this profile's session."`
	Whoami    whoamiCmd    `cmd:"" help:"Show who is signed in, and what they may do."`
	Workspace workspaceCmd `cmd:"" help:"Show the workspace and its people."`
	Channel   channelCmd   `cmd:"" help:"List, create, join and change channels."`
	Send      sendCmd      `cmd:"" help:"Send a message. What can't be sent now waits, in order, and goes out with the next command."`
	DM        dmCmd        `cmd:"" name:"dm" help:"Send a direct message to one person or several."`
	Edit      editCmd      `cmd:"" help:"Replace the text of a message of mine."`
	Delete    deleteCmd    `cmd:"" help:"Delete a message."`
	React     reactCmd     `cmd:"" help:"React to a message with an emoji."`
	Pin       pinCmd       `cmd:"" help:"Pin a message."`
	Unpin     unpinCmd     `cmd:"" help:"Unpin a message."`
	Pins      pinsCmd      `cmd:"" help:"Show the pinned messages of a channel."`
	Read      readCmd      `cmd:"" help:"Mark a channel or a thread as read."`
	Unread    unreadCmd    `cmd:"" help:"Mark a message, and what follows it, as unread."`
	Mentions  mentionsCmd  `cmd:"" help:"Show where I was mentioned, newest first."`
	Mute      muteCmd      `cmd:"" help:"Mute a channel: nothing in it notifies me."`
	Unmute    unmuteCmd    `cmd:"" help:"End a channel's muting."`
	Notify    notifyCmd    `cmd:"" help:"Choose what in a channel notifies me."`
	Thread    threadCmd    `cmd:"" help:"List, follow and unfollow threads."`
	History   historyCmd   `cmd:"" help:"Read a channel's messages."`
	Tail      tailCmd      `cmd:"" help:"Show a channel's newest messages, and with -f what comes."`
	Presence  presenceCmd  `cmd:"" help:"Who is here: show, watch, and choose what others see."`
	Watch     watchCmd     `cmd:"" help:"Show the frames of the protocol while following topics."`
	Doc       docCmd       `cmd:"" help:"Documents that many edit at the same time: create, read, change, watch and share them."`
	Demo      demoCmd      `cmd:"" help:"Make a workspace with people, channels and threads in it, to look at Plenum."`
	Admin     adminCmd     `cmd:"" help:"Invitations, roles, groups, devices, new passwords, the audit log."`
	Operator  operatorCmd  `cmd:"" help:"What whoever runs this Plenum does from behind it: more workspaces, lost owners, keys, every audit log."`
}

// env is what every command works with.
type env struct {
	*commands
	ctx      context.Context //nolint:containedctx // a command line's, ends with Ctrl-C
	in       *os.File
	out, err io.Writer
}

// timeout bounds commands that do one thing.
const timeout = 30 * time.Second

// Main runs one command and returns the exit code.
func Main(args []string, in *os.File, out, errOut io.Writer) int {
	var c commands
	exit := -1
	parser, err := kong.New(&c, kong.Name("plenumctl"), kong.Description("Plenum on the command line."), kong.Writers(out, errOut),
		kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true}), kong.Exit(func(code int) { exit = code }))
	if err != nil {
		fmt.Fprintln(errOut, "plenumctl:", err)
		return exitFailed
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if exit >= 0 {
		return exit // --help
	}
	if err != nil {
		fmt.Fprintln(errOut, "plenumctl:", err)
		fmt.Fprintln(errOut, "Try:", helpFor(err))
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	e := &env{commands: &c, ctx: ctx, in: in, out: out, err: errOut}
	err = parsed.Run(e)
	if err == nil || errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return 0
	}
	fmt.Fprintln(errOut, "plenumctl:", explain(err))
	if client.CodeOf(err) == edgev1.Code_CODE_SESSION_REVOKED {
		if err := e.erase(); err != nil {
			fmt.Fprintln(errOut, "plenumctl: what this profile keeps is to be erased, but:", err)
		} else {
			fmt.Fprintf(errOut, "What profile %q kept was erased.\n", c.Profile)
		}
	}
	return exitFailed
}

// helpFor is the command that explains what was written wrongly, as far as it was understood.
func helpFor(err error) string {
	command := "plenumctl"
	if e, ok := errors.AsType[*kong.ParseError](err); ok && e.Context.Selected() != nil {
		command = e.Context.Selected().FullPath()
	}
	return command + " --help"
}

// explain shows a person what an error says to them.
func explain(err error) string {
	e, ok := errors.AsType[*client.Error](err)
	if !ok {
		return err.Error()
	}
	text := e.Message
	if text == "" {
		text = e.Code.String()
	}
	if e.Field != "" {
		text += " (field " + e.Field + ")"
	}
	if e.RetryAfter > 0 {
		text += fmt.Sprintf(" Try again in %s.", e.RetryAfter.Round(time.Second))
	}
	if e.Reason != "" {
		text += " [" + e.Reason + "]"
	}
	return text
}
