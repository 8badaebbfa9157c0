package cluster

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"hash/fnv"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// owner is the user that PostgreSQL runs as: it refuses root.
type owner struct {
	uid, gid   int
	credential *syscall.Credential // nil: ourselves
}

func postgresOwner() (owner, error) {
	if os.Getuid() != 0 {
		return owner{uid: os.Getuid(), gid: os.Getgid()}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err1 == nil && err2 == nil {
			return owner{uid, gid, &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
		}
	}
	return owner{}, fmt.Errorf("cluster: PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it as")
}

func (o owner) run(ctx context.Context, stdin, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = "/"
	cmd.Stdin = strings.NewReader(stdin)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: o.credential}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(name), err, strings.TrimSpace(out.String()))
	}
	return nil
}

// databaseURL is for sqldb: one database and one role for each service.
func (c Config) databaseURL(service, password, ca string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(service, password), Host: c.IP(kindPostgres, 1) + ":5432", Path: "/" + service,
		RawQuery: url.Values{"sslmode": {"verify-full"}, "sslrootcert": {ca}}.Encode(),
	}
	return u.String()
}

// postgresHome is where PostgreSQL keeps everything of its own: in the cluster's folder, unless its user cannot get there,
// as below /root.
func (c Config) postgresHome() string {
	if os.Getuid() == 0 {
		for dir := filepath.Dir(c.Dir); ; dir = filepath.Dir(dir) {
			if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&0o001 == 0 {
				hash := fnv.New64a()
				_, _ = hash.Write([]byte(c.Dir))
				return filepath.Join(os.TempDir(), fmt.Sprintf("plenum-postgres-%x", hash.Sum64()))
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return c.path("postgres")
}

func (c Config) makePostgresHome(ca *authority, o owner) error {
	home := c.postgresHome()
	if err := os.Mkdir(home, 0o711); err != nil { // one that is there might be anybody's
		return fmt.Errorf("postgres: %w: remove it if no cluster uses it", err)
	}
	if err := ca.issue(home, "postgres", "", c.IP(kindPostgres, 1), o.uid, o.gid); err != nil {
		return err
	}
	pem, err := os.ReadFile(ca.ca())
	if err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	if err := os.WriteFile(filepath.Join(home, "ca.pem"), pem, 0o644); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	return nil
}

func (c Config) postgres(o owner) (spec, error) {
	bin, err := postgresBin()
	if err != nil {
		return spec{}, err
	}
	ip, home := c.IP(kindPostgres, 1), c.postgresHome()
	data := filepath.Join(home, "data")
	return spec{
		name: "postgres", ip: ip, path: filepath.Join(bin, "postgres"), dir: "/", user: o.credential,
		quit: syscall.SIGINT, // fast shutdown: sessions end, everything is written
		args: []string{
			"-D", data, "-h", ip, "-p", "5432", "-k", data,
			"-c", "ssl=on", "-c", "ssl_cert_file=" + filepath.Join(home, "postgres.pem"),
			"-c", "ssl_key_file=" + filepath.Join(home, "postgres.key"), "-c", "ssl_ca_file=" + filepath.Join(home, "ca.pem"),
			"-c", "max_connections=200", "-c", "shared_buffers=128MB", "-c", "log_min_messages=warning",
		},
		probe: func(ctx context.Context) error {
			return o.run(ctx, "", filepath.Join(bin, "pg_isready"), "-q", "-h", ip, "-p", "5432")
		},
	}, nil
}

// initPostgres makes the data folder; roles and databases come once the server runs, by createDatabases.
func (c Config) initPostgres(ctx context.Context, o owner) error {
	bin, err := postgresBin()
	if err != nil {
		return err
	}
	data := filepath.Join(c.postgresHome(), "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	if err := chown(data, o.uid, o.gid); err != nil {
		return err
	}
	if err := o.run(ctx, "", filepath.Join(bin, "initdb"), "-D", data, "-U", "plenum", "-E", "UTF8", "--locale=C.UTF-8",
		"--auth-local=peer", "--auth-host=scram-sha-256", "--no-instructions"); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	// Over the socket in its own folder, the server's user is plenum; over the network, everybody signs in with TLS.
	hba := "local all plenum peer map=owner\nhostssl all all all scram-sha-256\n"
	name, err := user.LookupId(strconv.Itoa(o.uid))
	if err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	for file, text := range map[string]string{"pg_hba.conf": hba, "pg_ident.conf": "owner " + name.Username + " plenum\n"} {
		path := filepath.Join(data, file)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return fmt.Errorf("postgres: %w", err)
		}
		if err := chown(path, o.uid, o.gid); err != nil {
			return err
		}
	}
	return nil
}

// createDatabases gives each service a role and a database of its own.
func (c Config) createDatabases(ctx context.Context, o owner, passwords map[string]string) error {
	bin, err := postgresBin()
	if err != nil {
		return err
	}
	for service, password := range passwords {
		// On standard input: arguments can be seen by everybody on the machine.
		script := fmt.Sprintf("CREATE ROLE %q LOGIN PASSWORD '%s';\nCREATE DATABASE %q OWNER %q;\nREVOKE CONNECT ON DATABASE %q FROM PUBLIC;\n",
			service, password, service, service, service)
		if err := o.run(ctx, script, filepath.Join(bin, "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1",
			"-h", filepath.Join(c.postgresHome(), "data"), "-p", "5432", "-U", "plenum", "-d", "postgres"); err != nil {
			return fmt.Errorf("database of %s: %w", service, err)
		}
	}
	return nil
}

// secret is 130 random bits as text.
func secret() string { return rand.Text() }
