package configs

import (
	"fmt"
	"net"
	"strings"
)

// HQ is the file of a headquarters process. Relative paths are taken from the
// working directory of the process.
type HQ struct {
	Version   int      `yaml:"version"`   // 1
	Listen    string   `yaml:"listen"`    // ssl://host:port of the MQTT listener, or host:port of this machine alone without TLS; port 0: any
	Names     []string `yaml:"names"`     // names and addresses by which gates call this machine, beside listen's
	Broker    string   `yaml:"broker"`    // ssl://host:port of another MQTT 3.1.1 broker, or tcp:// on this machine; listen and names count for nothing then
	Store     string   `yaml:"store"`     // folder of the records and accounts, or nats://a,b,c: a cluster of three nodes
	StoreTLS  StoreTLS `yaml:"store_tls"` // towards a cluster on other machines
	Work      string   `yaml:"work"`      // folder of what this process may lose; only with a cluster
	Identity  string   `yaml:"identity"`  // folder of headquarters' keys
	Control   string   `yaml:"control"`   // UNIX socket for commands to a running process
	Accounts  string   `yaml:"accounts"`  // file of accounts to begin with; empty for none
	Simulated bool     `yaml:"simulated"` // set by the simulator only

	Console HQConsole `yaml:"console"`
}

// DefaultHQ returns what a headquarters' file need not say.
func DefaultHQ() HQ {
	return HQ{
		Listen:   "127.0.0.1:1883",
		Store:    "/var/lib/bordergate-hq/store",
		Work:     "/var/lib/bordergate-hq/work",
		Identity: "/var/lib/bordergate-hq/identity",
		Control:  "/run/bordergate-hq/hqd.sock",
		Console:  defaultHQConsole(),
	}
}

// LoadHQ reads a headquarters' file. Either the faults are empty and the
// configuration is complete and within all bounds, or it is nil.
func LoadHQ(path string) (*HQ, Faults) {
	return load(path, DefaultHQ(), checkHQ)
}

func checkHQ(c *HQ, d *document) {
	d.version(c.Version)
	if c.Broker == "" {
		checkListen(c.Listen, d)
	} else {
		d.link("broker", c.Broker, true, "ssl", "tcp")
		checkPlain("broker", c.Broker, d)
	}
	for i, n := range c.Names {
		if n == "" || len(n) > 253 || strings.ContainsAny(n, " /:*") && net.ParseIP(n) == nil {
			d.fault(fmt.Sprintf("names[%d]", i), "is neither a host's name nor an IP address", "such as hq.example or 192.0.2.10, without scheme and port")
		}
	}
	checkStore(c, d)
	d.filled("identity", c.Identity)
	d.socket("control", c.Control)
	checkHQConsole(c.Console, d)
	if f := c.Folder(); f != "" && f == c.Identity {
		d.fault("store", "is the identity folder too", "keep keys in a folder of their own, so that a copy of the store holds none")
	}
}

// checkListen demands TLS wherever another machine can come.
func checkListen(value string, d *document) {
	address, secure := strings.CutPrefix(value, "ssl://")
	if !secure {
		address, _ = strings.CutPrefix(value, "tcp://")
	}
	host, ok := d.address("listen", address)
	if !ok || secure {
		return
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		d.fault("listen", "takes gates from other machines without TLS", "ssl://HOST:8883")
	}
}
