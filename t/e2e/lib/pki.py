# SPDX-License-Identifier: MIT
"""Certificate authorities for tests, by the openssl command."""
import os
import subprocess

CONF = '''
[ca]
default_ca = own
[own]
dir = {dir}
database = {dir}/index.txt
new_certs_dir = {dir}
serial = {dir}/serial
crlnumber = {dir}/crlnumber
certificate = {dir}/ca.pem
private_key = {dir}/ca.key
default_md = sha256
default_days = 2
default_crl_days = 2
policy = any
unique_subject = no
[any]
commonName = supplied
'''


def run(*args):
    done = subprocess.run(['openssl', *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, (args, done.stdout.decode(errors='replace'))


class Authority:
    """A folder with a certificate authority that can issue and revoke."""

    def __init__(self, folder, name='test authority'):
        self.dir = folder
        os.makedirs(folder)
        self.ca = os.path.join(folder, 'ca.pem')
        self.crl = os.path.join(folder, 'crl.pem')
        self.conf = os.path.join(folder, 'openssl.cnf')
        with open(self.conf, 'w', encoding='ascii') as f:
            f.write(CONF.format(dir=folder))
        for file, text in (('index.txt', ''), ('serial', '01\n'), ('crlnumber', '01\n')):
            with open(os.path.join(folder, file), 'w', encoding='ascii') as f:
                f.write(text)
        run('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
            '-subj', f'/CN={name}', '-keyout', os.path.join(folder, 'ca.key'), '-out', self.ca,
            '-addext', 'keyUsage=critical,keyCertSign,cRLSign')

    def issue(self, name, san='', usage='clientAuth', dates=()):
        """(certificate file, key file) of a leaf with CN `name`; `dates`: start and end, YYMMDDHHMMSSZ."""
        base = os.path.join(self.dir, f'leaf{len(os.listdir(self.dir))}')
        cert, key, request, ext = (base + end for end in ('.pem', '.key', '.csr', '.ext'))
        with open(ext, 'w', encoding='ascii') as f:
            f.write('basicConstraints=CA:FALSE\n' + (f'extendedKeyUsage={usage}\n' if usage else '') +
                    (f'subjectAltName={san}\n' if san else ''))
        run('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', f'/CN={name}',
            '-keyout', key, '-out', request)
        when = ('-startdate', dates[0], '-enddate', dates[1]) if dates else ()
        run('ca', '-batch', '-config', self.conf, '-in', request, '-out', cert, '-extfile', ext, '-notext', *when)
        return cert, key

    def revoke(self, cert):
        run('ca', '-config', self.conf, '-revoke', cert)

    def write_crl(self, *dates):
        """A fresh list; `dates`: of this update and the next."""
        when = ('-crl_lastupdate', dates[0], '-crl_nextupdate', dates[1]) if dates else ()
        run('ca', '-gencrl', '-config', self.conf, '-out', self.crl, *when)
