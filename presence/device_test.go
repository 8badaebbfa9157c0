package presence

import (
	"testing"

	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

func TestDevice(t *testing.T) {
	const (
		chrome   = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
		electron = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) plenum/1 Chrome/140.0.0.0 Electron/38.1.0 Safari/537.36"
		webview  = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
		iphone   = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1"
		ipad     = "Mozilla/5.0 (iPad; CPU OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1"
		pixel    = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36"
		firefox  = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
		google   = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
	)
	for agent, want := range map[string]presencev1.Device{
		"":                                 presencev1.Device_DEVICE_UNSPECIFIED,
		chrome:                             presencev1.Device_DEVICE_BROWSER,
		firefox:                            presencev1.Device_DEVICE_BROWSER,
		"plenum-web/1.4.2 " + chrome:       presencev1.Device_DEVICE_BROWSER,
		"plenum-web/1.4.2 " + iphone:       presencev1.Device_DEVICE_MOBILE,
		pixel:                              presencev1.Device_DEVICE_MOBILE,
		ipad:                               presencev1.Device_DEVICE_TABLET,
		"plenum-ios/2 " + ipad:             presencev1.Device_DEVICE_TABLET,
		"plenum-android/2 okhttp/4.12.0":   presencev1.Device_DEVICE_MOBILE,
		"plenum-tablet/2 " + pixel:         presencev1.Device_DEVICE_TABLET,
		"plenum-desktop/1":                 presencev1.Device_DEVICE_DESKTOP,
		"plenum-desktop/1 " + electron:     presencev1.Device_DEVICE_DESKTOP,
		"plenum-desktop/1 " + webview:      presencev1.Device_DEVICE_DESKTOP,
		"mine/0.1 " + electron:             presencev1.Device_DEVICE_DESKTOP,
		electron:                           presencev1.Device_DEVICE_DESKTOP,
		"plenumctl/1.0 Go-http-client/1.1": presencev1.Device_DEVICE_DESKTOP,
		"mine/0.1 (Linux)":                 presencev1.Device_DEVICE_DESKTOP,
		"curl/8.5.0":                       presencev1.Device_DEVICE_SYSTEM,
		"Go-http-client/2.0":               presencev1.Device_DEVICE_SYSTEM,
		"python-requests/2.32":             presencev1.Device_DEVICE_SYSTEM,
		"release-bot/1":                    presencev1.Device_DEVICE_SYSTEM,
		google:                             presencev1.Device_DEVICE_SYSTEM,
	} {
		if got := device(agent, false); got != want {
			t.Errorf("%q is %v, want %v", agent, got, want)
		}
	}
	if got := device(firefox, true); got != presencev1.Device_DEVICE_SYSTEM {
		t.Errorf("a service is %v", got)
	}
}
