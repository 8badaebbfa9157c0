package cluster

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// Config says what a cluster is made of and where it lives.
type Config struct {
	Dir string // everything the cluster writes; the parents must be open to the user that runs PostgreSQL
	Bin string // nats-server, server (etcd), identity, chat, docs and gateway
	// Net is the second octet of the loopback addresses, 127.<Net>.<kind>.<number>. Two clusters at the same time need
	// different ones.
	Net      int
	Replicas int // of each service
	Gateways int
	// Extra are further services, each a program of its name in Bin: of tests, for what services stand on.
	Extra []string `json:",omitempty"`
	// Grace is how long somebody who has gone is shown as here (presence.grace); 0: its default.
	Grace time.Duration `json:",omitempty"`
	// Block is the first octet instead of 127, where Launch puts each process into a network of its own. 0: 127.
	Block int `json:",omitempty"`
	// Launch starts a process that is to be reached at ip. Nil: on this machine's loopback, by cmd.Start.
	Launch func(ip string, cmd *exec.Cmd) error `json:"-"`
}

// DefaultConfig is the cluster of `make cluster`.
func DefaultConfig() Config {
	return Config{Dir: ".cluster", Bin: "bin", Net: 77, Replicas: 2, Gateways: 3}
}

// Validate names what is missing and how to get it.
func (c Config) Validate() error {
	switch {
	case c.Dir == "" || c.Bin == "":
		return errors.New("cluster: name a folder for its files and one with its programs")
	case len(c.Dir) > 70:
		return fmt.Errorf("cluster: the folder %s is too deep for the unix socket of PostgreSQL: at most 70 characters", c.Dir)
	case c.Net < 1 || c.Net > 254:
		return errors.New("cluster: the net must be within 1 and 254")
	case c.apart() && c.Launch == nil:
		return errors.New("cluster: addresses other than loopback's need processes in networks of their own")
	case c.Replicas < 1 || c.Replicas > 9 || c.Gateways < 1 || c.Gateways > 9:
		return errors.New("cluster: one to nine of each service and of gateways")
	}
	programs := map[string]string{"nats-server": "tools", "server": "tools", "identity": "cluster", "chat": "cluster", "docs": "cluster", "presence": "cluster", "gateway": "cluster"}
	for _, name := range c.Extra {
		programs[name] = "cluster"
	}
	for name, target := range programs {
		if _, err := exec.LookPath(filepath.Join(c.Bin, name)); err != nil {
			return fmt.Errorf("cluster: %s is not in %s: run `make %s` first", name, c.Bin, target)
		}
	}
	_, err := postgresBin()
	return err
}

// postgresBin is the folder with initdb and postgres: Debian keeps them off the PATH.
func postgresBin() (string, error) {
	folders, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // the pattern is well formed
	slices.Reverse(folders)
	if path, err := exec.LookPath("initdb"); err == nil {
		folders = append(folders, filepath.Dir(path))
	}
	for _, dir := range folders {
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("cluster: PostgreSQL is not installed: on Debian, apt-get install postgresql")
}

// Kinds of servers: the third octet of their addresses.
const ( // the numbers are used by tests, too
	kindNATS = 1 + iota
	kindEtcd
	kindPostgres
	kindIdentity
	kindChat
	kindGateway
	kindDocs
	kindPresence
	kindExtra // and those that follow
)

// IP is the address of a server.
func (c Config) IP(kind, number int) string {
	return fmt.Sprintf("%d.%d.%d.%d", cmp.Or(c.Block, 127), c.Net, kind, number)
}

// apart is true where the addresses are not this machine's loopback.
func (c Config) apart() bool { return cmp.Or(c.Block, 127) != 127 }

func (c Config) path(elem ...string) string {
	return filepath.Join(append([]string{c.Dir}, elem...)...)
}
