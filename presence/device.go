package presence

import (
	"github.com/mileusna/useragent"

	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

// device is what kind of thing a client runs on, by what it calls itself.
func device(agent string, program bool) presencev1.Device {
	if program {
		return presencev1.Device_DEVICE_SYSTEM
	}
	switch ua := useragent.Parse(agent); {
	case ua.Tablet:
		return presencev1.Device_DEVICE_TABLET
	case ua.Mobile:
		return presencev1.Device_DEVICE_MOBILE
	case ua.Desktop && ua.Name != "":
		return presencev1.Device_DEVICE_BROWSER
	case agent != "":
		return presencev1.Device_DEVICE_DESKTOP
	}
	return presencev1.Device_DEVICE_UNSPECIFIED
}
