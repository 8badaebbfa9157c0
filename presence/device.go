package presence

import (
	"strings"

	"github.com/mileusna/useragent"

	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

// named are kinds of devices that an application says by the end of its name, as "plenum-desktop/1": whatever the browser says that it is built of, if any.
var named = map[string]presencev1.Device{
	"desktop": presencev1.Device_DEVICE_DESKTOP,
	"mobile":  presencev1.Device_DEVICE_MOBILE, "android": presencev1.Device_DEVICE_MOBILE, "ios": presencev1.Device_DEVICE_MOBILE,
	"tablet": presencev1.Device_DEVICE_TABLET,
	"bot":    presencev1.Device_DEVICE_SYSTEM,
}

// libraries are what programs call themselves that don't say what they are.
var libraries = map[string]bool{
	"curl": true, "wget": true, "httpie": true, "go-http-client": true, "python-requests": true, "python-urllib": true, "python": true, "aiohttp": true,
	"okhttp": true, "java": true, "node": true, "node-fetch": true, "axios": true, "undici": true, "dart": true, "ruby": true, "libwww-perl": true,
}

// device is what kind of thing a client runs on, by what it calls itself: Hello.agent, and the header User-Agent behind it. A program that says neither
// that it is a browser nor anything else is one of its own on a computer.
func device(agent string, program bool) presencev1.Device {
	first, _, _ := strings.Cut(agent, " ")
	name, _, _ := strings.Cut(strings.ToLower(first), "/")
	said := named[name[strings.LastIndexByte(name, '-')+1:]]
	switch ua := useragent.Parse(agent); {
	case program:
		return presencev1.Device_DEVICE_SYSTEM
	case said != presencev1.Device_DEVICE_UNSPECIFIED && (said != presencev1.Device_DEVICE_MOBILE || !ua.Tablet):
		return said
	case ua.Bot, libraries[name]:
		return presencev1.Device_DEVICE_SYSTEM
	case ua.Tablet:
		return presencev1.Device_DEVICE_TABLET
	case ua.Mobile:
		return presencev1.Device_DEVICE_MOBILE
	case ua.Desktop && strings.Contains(agent, "Mozilla/") && !strings.Contains(agent, " Electron/"):
		return presencev1.Device_DEVICE_BROWSER
	case agent != "":
		return presencev1.Device_DEVICE_DESKTOP
	}
	return presencev1.Device_DEVICE_UNSPECIFIED
}
