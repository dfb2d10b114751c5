// Package station is a border station on one machine for the simulator: the
// real programs of headquarters and of a gate, as processes of their own,
// their identities, configuration and logs in one folder that is made anew.
//
// Every process dies with the simulator, also when that is killed. A process
// that ends by itself is a fault and is told. Everything read from the
// programs comes by their own interfaces: status page, control sockets,
// commands; the simulator opens none of their files while they run.
package station
