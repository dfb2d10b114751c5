package link

import (
	"context"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// ClientOptions are those of a connection that nobody ends, for tests of the
// client library alone.
func (s *Session) ClientOptions() *mqtt.ClientOptions {
	return s.clientOptions(context.Background(), func(error) {}, &connection{id: 1})
}
