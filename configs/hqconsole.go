package configs

import (
	"fmt"
	"net"
	"time"
)

// HQConsole is the officers' console of a station. Without Listen there is none.
type HQConsole struct {
	Listen       string        `yaml:"listen"`        // host:port; another machine's browsers need certificate and key
	Certificate  string        `yaml:"certificate"`   // PEM file, with the name that officers type
	Key          string        `yaml:"key"`           // PEM file
	Station      string        `yaml:"station"`       // as the page calls it, such as a crossing's name
	Gates        []string      `yaml:"gates"`         // lanes of the station; none: every registered gate
	Idle         time.Duration `yaml:"idle"`          // a session ends when so long unused, 1m to 8h
	AnswerWithin time.Duration `yaml:"answer_within"` // from when an unanswered exception is marked, 10s to 1h
}

// maxConsoleGates is how many lanes one console shows.
const maxConsoleGates = 40

func defaultHQConsole() HQConsole {
	return HQConsole{Idle: 15 * time.Minute, AnswerWithin: time.Minute}
}

func checkHQConsole(c HQConsole, d *document) {
	if c.Listen == "" {
		if c.Certificate != "" || c.Key != "" || len(c.Gates) > 0 {
			d.fault("console.listen", "is missing, so that there is no console", "such as 0.0.0.0:8444, or take the section out")
		}
		return
	}
	host, ok := d.address("console.listen", c.Listen)
	ip := net.ParseIP(host)
	switch local := host == "localhost" || ip != nil && ip.IsLoopback(); {
	case c.Certificate != "" || c.Key != "":
		d.filled("console.certificate", c.Certificate)
		d.filled("console.key", c.Key)
	case ok && !local:
		d.fault("console.listen", "takes officers from other machines without TLS", "set console.certificate and console.key, or listen on 127.0.0.1")
	}
	if len(c.Station) > 80 {
		d.fault("console.station", "is longer than 80 bytes", "the crossing's name")
	}
	if len(c.Gates) > maxConsoleGates {
		d.fault("console.gates", fmt.Sprintf("has more than %d lanes", maxConsoleGates), "one console for each station")
	}
	seen := make(map[string]bool)
	for i, g := range c.Gates {
		path := fmt.Sprintf("console.gates[%d]", i)
		d.word(path, g, 40, func(r rune) bool { return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' }, "a gate's id: a-z, 0-9 and -")
		if seen[g] {
			d.fault(path, "is there twice", "name each lane once")
		}
		seen[g] = true
	}
	if c.Idle < time.Minute || c.Idle > 8*time.Hour {
		d.fault("console.idle", "is not 1m to 8h", "15m")
	}
	if c.AnswerWithin < 10*time.Second || c.AnswerWithin > time.Hour {
		d.fault("console.answer_within", "is not 10s to 1h", "1m")
	}
}
