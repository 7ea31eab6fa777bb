/** The few lines of Perl that a copy of LemonLDAP::NG is started with. */

/** Its demonstration accounts are replaced by ours; a password of their own instead of one that is the user name. */
export const PEOPLE = `package Kestrel;
use strict;
use Mouse;
use JSON;
use Lemonldap::NG::Portal::UserDB::Demo;
use Lemonldap::NG::Portal::Main::Constants qw(PE_OK PE_BADCREDENTIALS);
extends qw(Lemonldap::NG::Portal::Auth::_WebForm);

my %passwords;
{
    local $/;
    open my $file, '<', "$ENV{KESTREL_FOLDER}/people.json" or die $!;
    my %accounts;
    my %groups;
    # bytes, as it has them from a directory; it decodes them itself
    for my $person ( @{ from_json(<$file>) } ) {
        my $uid = $person->{uid};
        $passwords{$uid} = $person->{password};
        $accounts{$uid} = {
            uid => $uid, cn => $person->{name}, mail => $person->{mail}, employeeNumber => $person->{employeeNumber},
            devices => $person->{totp}
              ? encode_json( [ { type => 'TOTP', name => 'app', epoch => 1, _secret => $person->{totp} } ] ) : undef,
        };
        push @{ $groups{$_} }, $uid for @{ $person->{groups} || [] };
    }
    %Lemonldap::NG::Portal::UserDB::Demo::demoAccounts = %accounts;
    %Lemonldap::NG::Portal::UserDB::Demo::demoGroups = %groups;
}

sub authenticate {
    my ( $self, $req ) = @_;
    my $right = $passwords{ $req->{user} };
    return PE_OK if defined $right and $right eq $req->data->{password};
    $self->setSecurity($req);
    return PE_BADCREDENTIALS;
}

sub authLogout { return PE_OK }

1;
`

/** Its scripts as well, for browsers: one of them sends the SAML answer on its way. */
export const PORTAL = `use Plack::App::File;
use Plack::Builder;
use Lemonldap::NG::Portal::Main;
builder {
    mount '/static' => Plack::App::File->new( root => '/usr/share/lemonldap-ng/portal/htdocs/static' )->to_app;
    mount '/javascript' => Plack::App::File->new( root => '/usr/share/javascript' )->to_app;
    mount '/' => Lemonldap::NG::Portal::Main->run( {} );
};
`

/** It loads one even where none is ever shown, and its own needs a library for drawing. */
export const NO_CAPTCHA = `package NoCaptcha;
use strict;
use Mouse;
extends 'Lemonldap::NG::Common::Module';
sub init { return 1 }
1;
`
