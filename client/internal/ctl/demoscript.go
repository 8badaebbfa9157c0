package ctl

import chatv1 "plenum.internal/proto/plenum/chat/v1"

// demoAccount is somebody of the demonstration: no one in particular.
type demoAccount struct{ handle, name, title, emoji, status string }

// demoMessage is what somebody says. Reactions are "👍 bob cyn; 🎉 dara".
type demoMessage struct {
	by, text, reactions string
	pinned              bool
	replies             []demoMessage
}

// demoChannel is one with its members, of whom the first makes it and may leave a draft; without a kind it is a direct conversation.
type demoChannel struct {
	name, topic string
	kind        chatv1.ChannelKind
	members     []string
	messages    []demoMessage
	draft       string
}

const demoName = "Skerry Observatory"

const (
	demoPublic  = chatv1.ChannelKind_CHANNEL_KIND_PUBLIC
	demoPrivate = chatv1.ChannelKind_CHANNEL_KIND_PRIVATE
)

// demoPeople: the first one owns the workspace.
var demoPeople = []demoAccount{
	{"ada", "Ada Lindqvist", "Director", "", ""},
	{"bob", "Bob Okafor", "Optics", "🔭", "In the dome, radio only"},
	{"cyn", "Cyn Marsh", "Programme", "", ""},
	{"dara", "Dara Yılmaz", "Software", "🎧", "Heads down until four"},
	{"eli", "Eli Novák", "Buildings", "🌧️", "Fixing the roof, again"},
	{"fumiko", "Fumiko Satō", "Astronomer", "🌙", "Up late, starts at noon"},
	{"gwen", "Gwen Price", "Visitors", "", ""},
	{"hugo", "Hugo Almeida", "Volunteer", "🏝️", "Away until Monday"},
}

var demoAll = []string{"ada", "bob", "cyn", "dara", "eli", "fumiko", "gwen", "hugo"}

var demoChannels = []demoChannel{
	{
		name: "general", topic: "What everybody should know", kind: demoPublic, members: demoAll,
		messages: []demoMessage{
			{
				by: "ada", text: "Welcome to the new place for everything that used to be in five different ones. **House rules:** say it in the open, use threads, and nobody has to answer after six.", pinned: true,
				reactions: "👋 bob cyn dara eli fumiko gwen; 💙 hugo gwen",
			},
			{by: "cyn", text: "The date is fixed: *first light night* is on Friday the 12th, doors at 20:00. 140 people have signed up already.", reactions: "🎉 ada bob dara eli fumiko gwen hugo; 🔭 fumiko"},
			{
				by: "ada", text: "Wonderful. What are we still missing? One thread for all of it, please.",
				replies: []demoMessage{
					{by: "eli", text: "Handrail on the east stairs. The parts come on Tuesday."},
					{by: "gwen", text: "Red lamps for the path. I can borrow thirty from the harbour.", reactions: "🙌 ada eli"},
					{by: "bob", text: "A spare motor for the shutter. It works, but I'd sleep better."},
					{by: "dara", text: "The ticket page, by tomorrow evening. @ada, one question: do children count as visitors?", reactions: "😄 gwen cyn"},
					{by: "fumiko", text: "A clear sky."},
				},
			},
			{by: "fumiko", text: "Forecast for the 12th, as of today:\n\n| hour | cloud | seeing |\n| --- | --- | --- |\n| 20 | 30 % | 2.1″ |\n| 22 | 15 % | 1.6″ |\n| 00 | 5 % | 1.2″ |\n\nIt gets better the later it is. As do I.", reactions: "🤞 ada cyn eli gwen bob"},
			{by: "gwen", text: "@all Please wear something warm on the night: it is two degrees on the terrace, and nobody believes it until they stand there.", reactions: "🧣 cyn dara"},
			{by: "hugo", text: "I'm back on Monday and free every evening of that week. Put me wherever it is coldest.", reactions: "❤️ gwen ada"},
		},
		draft: "One more thing about the 12th: ",
	},
	{
		name: "telescope", topic: "Mirror, mount, dome", kind: demoPublic, members: []string{"bob", "ada", "dara", "eli", "fumiko"},
		messages: []demoMessage{
			{by: "bob", text: "The mirror is back from coating: 96 % at 550 nm, and not a single pinhole.", reactions: "🪞 fumiko ada; 😍 fumiko"},
			{by: "fumiko", text: "That is a third of a magnitude for nothing. I take it back, all of it."},
			{
				by: "dara", text: "The mount loses its position when the shutter opens. From the log:\n\n```\n21:04:11 shutter  open requested\n21:04:12 mount    encoder jump  +0.31 deg\n21:04:12 mount    park lost\n```\n\nEvery time, always on the same side.",
				replies: []demoMessage{
					{by: "bob", text: "Same supply. The shutter's motor pulls it down for half a second."},
					{by: "dara", text: "So it's not me? I'd like that in writing.", reactions: "😂 fumiko ada eli"},
					{by: "eli", text: "There is a second circuit in the wall, behind the map. I can have the shutter on it by Thursday."},
					{by: "bob", text: "> by Thursday\n\nYou're a treasure.", reactions: "💯 dara"},
				},
			},
			{by: "ada", text: "Do we still need the spare motor, then?"},
			{by: "bob", text: "Yes. @ada, it is 180 €, and the old one is from 1987. Shall I order it?", reactions: "👍 eli"},
			{by: "fumiko", text: "First test image with the new coating: M13, thirty seconds, no guiding. The stars are *round*. I may have shouted.", reactions: "🤩 ada bob dara eli; 🌟 bob dara"},
			{by: "dara", text: "Pointing model of last night: `rms 4.2″`, down from `11.8″`. Code is in, notes are at https://example.com/pointing"},
		},
	},
	{
		name: "visitors", topic: "Tours, schools, and the night of the 12th", kind: demoPublic, members: []string{"gwen", "ada", "cyn", "hugo", "fumiko"},
		messages: []demoMessage{
			{by: "gwen", text: "Three schools for May, and one of them asked whether the Moon is *always* included.", reactions: "🌝 cyn fumiko hugo"},
			{by: "cyn", text: "Plan for the night:\n\n1. 20:00 doors, soup\n2. 20:30 Ada says a few words\n3. 21:00 groups of twelve, Fumiko at the eyepiece\n4. 23:30 last group\n\nAnything against it?"},
			{by: "ada", text: "A *few* words. I'll keep to five minutes.", reactions: "⏱️ cyn gwen"},
			{by: "hugo", text: "Groups of twelve work if two of us walk with each. I'd take the first and the last."},
			{by: "cyn", text: "@ada, the paper would like to talk to you before the doors open. Ten minutes, with a photograph."},
		},
	},
	{
		name: "kitchen", topic: "Soup, cake, the cat", kind: demoPublic, members: demoAll,
		messages: []demoMessage{
			{by: "eli", text: "There is cardamom cake. There was more of it an hour ago.", reactions: "🍰 bob cyn dara gwen"},
			{by: "ada", text: "I know nothing about that."},
			{by: "gwen", text: "Kepler has been asleep on the warm amplifier since noon. Please nobody reboot it.", reactions: "🐈 ada bob cyn dara eli fumiko hugo; 🥺 cyn"},
			{by: "dara", text: "I have moved the restart to midnight. The cat is a production dependency now.", reactions: "😂 gwen bob eli cyn"},
			{by: "bob", text: "Who is for soup on the 12th? Lentil or pumpkin, react to vote.", reactions: "🥣 cyn gwen eli; 🎃 dara fumiko hugo ada"},
		},
	},
	{
		name: "budget", topic: "Not for the newsletter", kind: demoPrivate, members: []string{"ada", "cyn", "eli"},
		messages: []demoMessage{
			{by: "ada", text: "The council pays half of the roof if we open twice a month. I think we should."},
			{by: "eli", text: "Half of it is more than we have. Yes.", reactions: "➕ cyn"},
			{by: "cyn", text: "Yes, if Hugo's group takes one of the two. I'll ask him on Monday."},
		},
	},
	{
		members: []string{"fumiko", "ada"},
		messages: []demoMessage{
			{by: "ada", text: "Five minutes on first light, for people who have never looked through anything. Where would you begin?"},
			{by: "fumiko", text: "With the light. What they will see left M13 when there was ice on this island, and they're the first whom it meets."},
			{by: "fumiko", text: "And then stop talking.", reactions: "🙏 ada"},
		},
	},
	{
		members: []string{"cyn", "ada", "gwen"},
		messages: []demoMessage{
			{by: "cyn", text: "It's Hugo's birthday on the 12th. He won't say so himself."},
			{by: "gwen", text: "A cake with a dome that opens. Eli has ideas.", reactions: "🎂 ada cyn"},
		},
	},
}
