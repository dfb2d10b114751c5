package configs

import "strings"

// TechnicianListen is where the technician's page is served when the file
// cannot be read.
const TechnicianListen = "127.0.0.1:7082"

// Technician is the technician's page: the gate's state and live views of its
// cameras, for whoever has the token.
type Technician struct {
	Listen string `yaml:"listen"` // host:port, of another machine's reach with cert and key only; empty: this gate has no such page
	Cert   string `yaml:"cert"`   // certificate and its chain, PEM; empty on loopback
	Key    string `yaml:"key"`    // private key of cert, PEM
	// TokenFile holds the token that signs a technician in. It is made where it is
	// missing, readable by the owner and his group.
	TokenFile string `yaml:"token_file"`
}

// Present reports whether the gate has the page.
func (t Technician) Present() bool { return t.Listen != "" }

func defaultTechnician() Technician {
	return Technician{TokenFile: "/run/bordergate/technician.token"}
}

func checkTechnician(c *Gate, d *document) {
	t := c.Technician
	if (t.Cert == "") != (t.Key == "") {
		d.fault("technician.cert", "and technician.key belong together", "give both, or neither on 127.0.0.1")
	}
	if !t.Present() {
		return
	}
	if t.Cert == "" {
		d.loopbackOr("technician.listen", t.Listen, "without TLS use 127.0.0.1:PORT, or give technician.cert and technician.key")
	} else {
		d.address("technician.listen", t.Listen)
		d.learn("technician.cert", Limits{Form: "path of a PEM file, with technician.key"})
		d.learn("technician.key", Limits{Form: "path of a PEM file, with technician.cert"})
	}
	for key, other := range map[string]string{"status.listen": c.Status.Listen, "screen.listen": c.Screen.Listen} {
		if t.Listen == other && !d.broken("technician.listen") && !strings.HasSuffix(t.Listen, ":0") {
			d.fault("technician.listen", "is "+key+" too", "each has a port of its own, such as "+TechnicianListen)
		}
	}
	d.filled("technician.token_file", t.TokenFile)
}
