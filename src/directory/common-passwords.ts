/**
 * Passwords of at least eight characters that guessers try first, in lower case (NIST SP 800-63B §3.1.1.2). Written for
 * this project from what is well known: words, names, keyboard rows and dates in the languages of the pages. What only
 * adds digits or punctuation at the end to one of these is caught by the rule, not by the list.
 */
const WRITTEN = `
password passwords password1 password12 password123 password1234 passw0rd p@ssw0rd p@ssword pa55word pa55w0rd pa$$word
passwort passwort1 passwort123 wachtwoord wachtwoord1 wachtwoord123 welkom01 welkom02 welkom123 welkom1234 geheim01 geheim123
geheimnis hallo123 hallo1234 halloween hallowelt willkommen willkommen1 sommer2024 sommer2025 sommer2026 winter2024 winter2025 winter2026
zomer2024 zomer2025 zomer2026 summer2024 summer2025 summer2026 spring2024 spring2025 spring2026 autumn2024 autumn2025 autumn2026
herbst2024 herbst2025 herbst2026 herfst2024 herfst2025 herfst2026 lente2024 lente2025 lente2026 fruehling frühling
welcome1 welcome12 welcome123 welcome1234 welcome01 welcome2024 welcome2025 welcome2026 letmein1 letmein123 letmeinnow
changeme changeme1 changeme123 changeit changethis default1 default123 temp1234 temppass temporary tempora1
12345678 123456789 1234567890 12345678910 0123456789 012345678 9876543210 987654321 87654321 98765432
11111111 111111111 1111111111 22222222 33333333 44444444 55555555 66666666 77777777 88888888 99999999 00000000 000000000 0000000000
12341234 11223344 1122334455 112233445566 12121212 21212121 13131313 31313131 10101010 01010101 10203040 11112222 12344321 123454321 1234554321
123123123 123321123 123123123123 147258369 159753159 741852963 789456123 147852369 963852741 159357159 14725836 32165498 321654987 12312312
12345679 123456781 1234567a 12345678a 123456789a a12345678 a123456789 1q2w3e4r 1q2w3e4r5t 1q2w3e4r5t6y 1qaz2wsx 1qaz2wsx3edc qazwsxedc qazwsxedcrfv
1qazxsw2 zaq12wsx zaq1xsw2 zaq1zaq1 xsw21qaz q1w2e3r4 q1w2e3r4t5 q1w2e3r4t5y6 q12345678 asdf1234 asdfasdf asdfghjk asdfghjkl asdfghjkl1 asdasdasd
qwertyui qwertyuio qwertyuiop qwerty12 qwerty123 qwerty1234 qwerty12345 qwerty123456 qwertyqwerty qweasdzxc qweqweqwe qwe123qwe qwer1234 qwer4321
qwertz12 qwertz123 qwertzui qwertzuiop asdfjkl1 azertyui azertyuiop azerty123 zxcvbnm1 zxcvbnm123 zxcvbnm, zxcvbnma yxcvbnm1 mnbvcxz1 poiuytre poiuytrewq
lkjhgfds lkjhgfdsa 0987654321 098765432 1234qwer 123qweasd 123qweasdzxc 123qwe123 123qwe456 abc12345 abc123456 abcd1234 abcd12345 abcde123 abcdefgh abcdefg1
abcdefghi abcdefghij abcabcabc abc123abc aa123456 aa12345678 aaaaaaaa aaaa1111 a1b2c3d4 a1b2c3d4e5 a1234567 a1s2d3f4 aabbccdd aaa11111
admin123 admin1234 admin12345 admin123456 adminadmin administrator administrators admin2024 admin2025 admin2026 adminpass adminpassword admin@123 root1234 rootroot
toortoor superuser supervisor sysadmin manager1 manager123 operator guest123 guest1234 testtest test1234 test12345 test123456 testing1 testing123 tester123
testpass testpassword user1234 user12345 username username1 loginlogin login123 login1234 master12 master123 masterkey mypassword mypass123 mypassword1 nopassword
thepassword secret12 secret123 secret1234 secretsecret topsecret security security1 access14 access123 access1234 letmein! iloveyou iloveyou1 iloveyou2 iloveyou123
iloveyou! ilovegod ilovejesus ilovehim ilovemom ilovemydog ilikepie loveyou1 lovelove loveme123 lovers123 lovely12 iloveu123 sweetheart sweetie1 princess princess1
princess12 princesa prinzessin prinses1 babygirl babygirl1 beautiful beautiful1 butterfly butterfly1 sunshine sunshine1 sunshine12 sunflower rainbow1 rainbow123
football football1 football12 football123 baseball baseball1 baseball12 basketball basketball1 volleyball softball1 hockey12 soccer12 soccer123 voetbal1 voetbal123 fussball fußball1
liverpool liverpool1 liverpoolfc chelsea1 chelsea123 arsenal1 arsenal123 manchester manunited manutd123 barcelona barcelona1 realmadrid juventus milan123 rangers1
feyenoord feyenoord1 ajaxajax ajax1234 psveindhoven amsterdam amsterdam1 rotterdam rotterdam1 utrecht1 eindhoven denhaag1 groningen nederland nederland1 holland1 holland123
deutschland deutschland1 schalke04 bayern123 bayernmuenchen borussia borussia09 dortmund hamburg1 hamburg123 berlin123 muenchen münchen1 frankfurt stuttgart schatzi1
schalke1 ficken123 arschloch scheisse scheiße1 schatz123 liebling ichliebedich ikhouvanjou hallihallo lieverd1 schatje1 poepchinees konijntje
superman superman1 superman123 batman123 spiderman spiderman1 starwars starwars1 startrek pokemon1 pokemon123 minecraft minecraft1 naruto123 dragonball dragon12 dragon123
pikachu1 harrypotter hogwarts gryffindor gandalf1 lordoftherings matrix123 terminator blink182 metallica metallica1 slipknot slipknot1 nirvana1 eminem123 greenday
whatever whatever1 computer computer1 computer123 internet internet1 internet123 hello123 hello1234 helloworld hellohello hellokitty mustang1 corvette ferrari1
porsche911 mercedes mercedes1 mercedesbenz toyota123 honda123 yamaha123 kawasaki harleydavidson harley12 chevrolet camaro123 lamborghini audi1234 bmw12345
michelle michelle1 jennifer jennifer1 jessica1 jessica123 samantha samantha1 stephanie elizabeth elizabeth1 victoria victoria1 charlotte charlotte1 caroline catherine
nicole12 nicole123 ashley12 ashley123 amanda12 daniel12 daniel123 michael1 michael123 matthew1 matthew123 jonathan jonathan1 christopher christian christian1 alexander
alexander1 alexandra alexandre anthony1 anthony123 benjamin benjamin1 brandon1 charlie1 charlie123 danielle danielle1 dominique florian1 francesco gabriel1 gabriela
jasmine1 johannes jordan23 jordan123 joshua12 joshua123 justin12 maximilian monique1 natasha1 nathalie nicholas nicolas1 patrick1 patrick123 richard1 robert12 robert123
sebastian sebastian1 sophie12 sophie123 stefanie thomas12 thomas123 valentina valentin veronica william1 william123 wolfgang vladimir dimitri1 aleksandr ekaterina
password! password? password. qwerty!@ qwerty!@# !@#$%^&* !@#$%^&*( !qaz2wsx !qaz@wsx 1qaz!qaz 1qaz@wsx zaq!2wsx zaq!xsw2 1234!@#$ !@#$1234 p@$$w0rd p4ssw0rd p4ssword
monkey12 monkey123 shadow12 shadow123 tigger12 tigger123 snoopy12 cookie12 cookie123 chocolate chocolate1 cheese12 cheese123 banana12 banana123 strawberry cherry12
pepper12 ginger12 ginger123 peanut12 peaches1 pumpkin1 cupcake1 coffee12 whiskey1 heineken jackdaniels budweiser marlboro marlboro1 cocacola cocacola1 pepsi123
dolphins dolphin1 elephant elephant1 kangaroo panther1 panthers scorpion scorpion1 blackcat wildcats wildcat1 bulldogs bulldog1 steelers steelers1 cowboys1 redskins patriots
yankees1 lakers24 eagles12 gators12 trustno1 trustnoone freedom1 freedom123 forever1 forever21 friends1 friends123 friendship bestfriend bestfriends family123 familie1 mommy123
daddy123 grandma1 motherlode fuckyou1 fuckyou2 fuckyou123 fuckyou! fuckoff1 fuckfuck asshole1 bullshit biteme123 jesus123 jesuschrist godisgood blessed1 blessing heaven12
christmas christmas1 kerstmis weihnachten holiday1 birthday birthday1 happyday happy123 happiness smile123 sunday12 monday12 monday123 friday13 january1 february
september september1 october1 november november1 december december1 maandag1 dinsdag1 woensdag donderdag vrijdag1 montag12 dienstag mittwoch donnerstag freitag1
пароль12 пароль123 пароль1234 парольпароль йцукенгш йцукенгшщз йцукен12 йцукен123 фывапролд фывапрол ячсмитьб любовь12 любовь123 приветпривет привет12 привет123
наташа12 москва12 москва123 россия12 россия123 спартак1 ghbdtn12 ghbdtn123 gfhjkm12 gfhjkm123 qazwsx12 qazwsx123 zxcasdqwe 1q2w3e4r! samsung1 samsung123 nokia123 iphone12
iphone123 android1 motorola blackberry facebook facebook1 google12 google123 googlegoogle microsoft microsoft1 windows1 windows10 windows11 windows123 linux123 ubuntu12
whatsapp instagram youtube1 twitter1 linkedin linkedin1 myspace1 netflix1 spotify1 amazon123 verkoper1 verkoop1 winkel01 winkel123 filiale1 filiale123 kassa123 kasse123 store123
store1234 shop1234 retail123 cashier1 verkauf1 verkauf123 servicedesk helpdesk helpdesk1 support1 support123 service1 service123 company1 company123 business1 office123
`

export const COMMON_PASSWORDS: ReadonlySet<string> = new Set(WRITTEN.trim().split(/\s+/))
