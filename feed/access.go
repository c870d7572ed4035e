package feed

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// Role is what a user of a feed server may do.
type Role string

// Roles. Nobody but a publisher may use JetStream's own interface: consumers, which a
// reader could have the server make, cost the server memory and may send to any subject.
const (
	RolePublisher Role = "publisher" // everything: the leader, and relays of it that are to take over
	RoleAttestor  Role = "attestor"  // read, and publish attestations
	RoleReader    Role = "reader"    // read
)

// User may connect to a server: with a name and a password (or its bcrypt hash), or with
// the private key of an nkey.
type User struct {
	Role           Role
	Name, Password string
	NKey           string // public key, in place of name and password
}

// LoadUsers reads a file of users, one per line: the role, and name and password or a
// public nkey ("reader UA…"). Empty lines and those that begin with # say nothing.
func LoadUsers(path string) ([]User, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("users of the feed: %w", err)
	}
	defer f.Close()
	var users []User
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		u := User{Role: Role(fields[0])}
		switch len(fields) {
		case 2:
			u.NKey = fields[1]
		case 3:
			u.Name, u.Password = fields[1], fields[2]
		default:
			return nil, fmt.Errorf("users of the feed: %s:%d: want a role, and name and password or a public nkey", path, n)
		}
		if err := u.check(); err != nil {
			return nil, fmt.Errorf("users of the feed: %s:%d: %w", path, n, err)
		}
		users = append(users, u)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("users of the feed: %w", err)
	}
	return users, nil
}

func (u *User) check() error {
	switch u.Role {
	case RolePublisher, RoleAttestor, RoleReader:
	default:
		return fmt.Errorf("role %q, allowed %s, %s, %s", u.Role, RolePublisher, RoleAttestor, RoleReader)
	}
	if u.NKey != "" {
		if !nkeys.IsValidPublicUserKey(u.NKey) {
			return errors.New("not the public key of a user (nk -gen user -pubout)")
		}
		return nil
	}
	if u.Name == "" || u.Password == "" {
		return errors.New("name or password is empty")
	}
	return nil
}

// permissions are NATS's for a role; nil is everything.
func (s subjects) permissions(r Role) *server.Permissions {
	if r == RolePublisher {
		return nil
	}
	publish := []string{fmt.Sprintf("talaria.%d.get.*", s.chainID)}
	if r == RoleAttestor {
		publish = append(publish, s.publish(attestations))
	}
	return &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: publish},
		Subscribe: &server.SubjectPermission{Allow: []string{fmt.Sprintf("talaria.%d.live.*", s.chainID), inboxPrefix + ".>"}},
	}
}

// Credentials are how a Client says who it is. The zero value is anonymous.
type Credentials struct {
	User, Password string
	Seed           string // of an nkey (SU…)
	File           string // NATS credentials: a JWT with its key
}

// LoadCredentials reads a file that holds name and password with blanks between them, the
// seed of an nkey, or NATS credentials.
func LoadCredentials(path string) (Credentials, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return Credentials{}, fmt.Errorf("credentials of the feed: %w", err)
	}
	if strings.HasPrefix(string(raw), "-----BEGIN NATS") {
		return Credentials{File: path}, nil
	}
	c, err := ParseCredentials(string(raw))
	if err != nil {
		return Credentials{}, fmt.Errorf("credentials of the feed: %s: %w", path, err)
	}
	return c, nil
}

// ParseCredentials reads name and password with blanks between them, or a seed.
func ParseCredentials(s string) (Credentials, error) {
	switch f := strings.Fields(s); {
	case len(f) == 2:
		return Credentials{User: f[0], Password: f[1]}, nil
	case len(f) == 1 && strings.HasPrefix(f[0], "SU"):
		return Credentials{Seed: f[0]}, nil
	}
	return Credentials{}, errors.New("want name and password, or the seed of an nkey")
}

// options are nats.go's.
func (c *Credentials) options() ([]nats.Option, error) {
	switch {
	case c.File != "":
		return []nats.Option{nats.UserCredentials(c.File)}, nil
	case c.Seed != "":
		pair, err := nkeys.FromSeed([]byte(c.Seed))
		if err != nil {
			return nil, fmt.Errorf("seed of an nkey: %w", err)
		}
		public, err := pair.PublicKey()
		if err != nil {
			return nil, fmt.Errorf("seed of an nkey: %w", err)
		}
		return []nats.Option{nats.Nkey(public, pair.Sign)}, nil
	case c.User != "":
		return []nats.Option{nats.UserInfo(c.User, c.Password)}, nil
	}
	return nil, nil
}
