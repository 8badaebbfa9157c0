package deploy

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestSelfSigned(t *testing.T) {
	folder, now := filepath.Join(t.TempDir(), "tls"), time.Now()
	serial := func(addr string, at time.Time) string {
		t.Helper()
		files, err := selfSigned(folder, addr, at)
		if err != nil {
			t.Fatal(err)
		}
		pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(files.Key); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the key's file is %v, %v", info.Mode(), err)
		}
		for _, name := range namesOf(addr) {
			if err := pair.Leaf.VerifyHostname(name); err != nil {
				t.Error(err)
			}
		}
		return pair.Leaf.SerialNumber.String()
	}
	first := serial("0.0.0.0:8080", now)
	if again := serial("127.0.0.1:8080", now.Add(time.Hour)); again != first {
		t.Error("it is made anew at each start: who has trusted it must do so again")
	}
	named := serial("chat.example:443", now)
	if named == first {
		t.Error("the first one was not good for chat.example")
	}
	if late := serial("chat.example:443", now.Add(certificateLife-certificateRenew+time.Hour)); late == named {
		t.Error("it is not made anew before it ends")
	}
}
