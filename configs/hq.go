package configs

// HQ is the file of a headquarters process. Relative paths are taken from the
// working directory of the process.
type HQ struct {
	Version   int    `yaml:"version"`   // 1
	Listen    string `yaml:"listen"`    // host:port of the MQTT listener; port 0 lets the system choose
	Store     string `yaml:"store"`     // folder of the records and accounts
	Identity  string `yaml:"identity"`  // folder of headquarters' keys
	Control   string `yaml:"control"`   // UNIX socket for commands to a running process
	Accounts  string `yaml:"accounts"`  // file of accounts to begin with; empty for none
	Simulated bool   `yaml:"simulated"` // set by the simulator only
}

// DefaultHQ returns what a headquarters' file need not say.
func DefaultHQ() HQ {
	return HQ{
		Listen:   "127.0.0.1:1883",
		Store:    "/var/lib/bordergate-hq/store",
		Identity: "/var/lib/bordergate-hq/identity",
		Control:  "/run/bordergate-hq/hqd.sock",
	}
}

// LoadHQ reads a headquarters' file. Either the faults are empty and the
// configuration is complete and within all bounds, or it is nil.
func LoadHQ(path string) (*HQ, Faults) {
	return load(path, DefaultHQ(), checkHQ)
}

func checkHQ(c *HQ, d *document) {
	d.version(c.Version)
	d.address("listen", c.Listen)
	d.filled("store", c.Store)
	d.filled("identity", c.Identity)
	d.socket("control", c.Control)
	if c.Store != "" && c.Store == c.Identity {
		d.fault("store", "is the identity folder too", "keep keys in a folder of their own, so that a copy of the store holds none")
	}
}
