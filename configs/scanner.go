package configs

// NoScanner is the dialect of a gate without a scanner.
const NoScanner = "none"

// Scanner is a serial barcode scanner that reads passes beside the document
// camera. A file without it has none.
type Scanner struct {
	Dialect        string `yaml:"dialect"`         // none, plain, honeywell, datalogic, newland or zebra
	Port           string `yaml:"port"`            // serial device, by a path that does not change
	Baud           int    `yaml:"baud"`            // one of the standard rates, 9600 to 921600; USB scanners ignore it
	Framing        string `yaml:"framing"`         // suffix: a carriage return ends a scan; idle: silence does
	AIM            bool   `yaml:"aim"`             // each scan begins with its AIM identifier
	NewlandTrigger string `yaml:"newland_trigger"` // setting tag by the maker's manual; without it nothing is triggered
	NewlandQuery   string `yaml:"newland_query"`   // setting tag by the maker's manual; without it nothing is asked
	// ZebraTypeOnce says that only the first of continued packets begins with
	// the code type.
	ZebraTypeOnce bool `yaml:"zebra_type_once"`
}

// Present reports whether the gate has a scanner.
func (s Scanner) Present() bool { return s.Dialect != NoScanner }

func defaultScanner() Scanner {
	return Scanner{Dialect: NoScanner, Baud: 115200, Framing: "suffix", AIM: true}
}

// checkScanner leaves a scanner that is not there unchecked, so that its part
// can stay in the file while it is away for repair.
func checkScanner(s Scanner, turnstile string, d *document) {
	if d.has("scanner") && !d.has("scanner.dialect") && !d.broken("scanner") {
		d.fault("scanner.dialect", "is missing", "none, plain, honeywell, datalogic, newland or zebra")
		return
	}
	d.oneOf("scanner.dialect", s.Dialect, NoScanner, "plain", "honeywell", "datalogic", "newland", "zebra")
	if !s.Present() || d.broken("scanner.dialect") {
		return
	}
	if d.serialPort("scanner.port", s.Port) && s.Port == turnstile {
		d.fault("scanner.port", "is the turnstile's too", "each device has a line of its own")
	}
	oneOfNumbers(d, "scanner.baud", s.Baud, bauds()...)
	d.oneOf("scanner.framing", s.Framing, "suffix", "idle")
	for path, tag := range map[string]string{"scanner.newland_trigger": s.NewlandTrigger, "scanner.newland_query": s.NewlandQuery} {
		switch {
		case tag == "":
		case s.Dialect != "newland":
			d.fault(path, "is of newland scanners only", "remove it, or correct the dialect")
		default:
			d.word(path, tag, 16, func(r rune) bool { return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' },
				"1 to 16 of A-Z and 0-9, as the maker's manual names the setting")
		}
	}
	if s.ZebraTypeOnce && s.Dialect != "zebra" {
		d.fault("scanner.zebra_type_once", "is of zebra scanners only", "remove it, or correct the dialect")
	}
}
