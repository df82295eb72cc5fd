package kernel

// errno is an error of WASI preview 1.
type errno uint32

// Those that a guest can meet here.
const (
	success        errno = 0
	errInUse       errno = 3  // EADDRINUSE
	errNoAddr      errno = 4  // EADDRNOTAVAIL
	errAgain       errno = 6  // EAGAIN
	errBadFD       errno = 8  // EBADF
	errRefused     errno = 14 // ECONNREFUSED
	errReset       errno = 15 // ECONNRESET
	errExist       errno = 20 // EEXIST
	errNoRoute     errno = 23 // EHOSTUNREACH
	errInvalid     errno = 28 // EINVAL
	errIO          errno = 29 // EIO
	errIsDir       errno = 31 // EISDIR
	errTooMany     errno = 33 // EMFILE
	errTooLong     errno = 35 // EMSGSIZE
	errNoDevice    errno = 43 // ENODEV
	errTooBig      errno = 22 // EFBIG
	errNameTooLong errno = 37 // ENAMETOOLONG
	errNoEntry     errno = 44 // ENOENT
	errNoSpace     errno = 51 // ENOSPC
	errNotConn     errno = 53 // ENOTCONN
	errNotDir      errno = 54 // ENOTDIR
	errNotEmpty    errno = 55 // ENOTEMPTY
	errNotSock     errno = 57 // ENOTSOCK
	errNotSup      errno = 58 // ENOTSUP
	errRange       errno = 68 // ERANGE
	errSeek        errno = 70 // ESPIPE
	errTimedOut    errno = 73 // ETIMEDOUT
	errPipe        errno = 64 // EPIPE
)
