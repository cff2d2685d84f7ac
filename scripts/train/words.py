"""The words that contexts are made of. People, cities, firms and things kept for the tests are never trained on."""
import zlib


def words(text):
    return [w.strip().replace("_", " ") for w in text.split() if w.strip()]


NAMES = words("""
Alice Bruno Carla Dmitri Elena Farid Greta Hugo Ines Jonas Katya Liam Mona Nils Olga Pavel Quinn Rosa Stefan Tara Umar
Vera Wim Xenia Yusuf Zoe Anton Bella Cyril Dora Emil Flora Gustav Hanna Ivan Julia Karim Lotte Marco Nadia Oscar Petra
Rami Sonja Tomas Ursula Viktor Wanda Yara Zeno Adam Agnes Ahmed Aisha Akira Albert Alma Amara Amelia Amir Anders Angela
Anita Arthur Astrid Aylin Barbara Basil Beatrice Benjamin Bernard Bianca Boris Brenda Bridget Camille Carlos Cecilia
Chandra Charles Chiara Chloe Claudia Colin Conrad Daniel Daria David Deepa Diana Diego Dominik Edith Eduardo Eleanor Elias
Emma Enrico Erik Esther Eva Fatima Felix Fiona Frank Frida Gabriel George Gerard Gita Gloria Grace Hassan Heidi Helga
Henrik Hiro Ibrahim Ida Igor Ilona Imran Ingrid Irene Isaac Isabel Jakob Jasmine Jean Joanna Johan Joseph Judith Karen
Karl Kenji Kira Klaus Lars Laura Lena Leo Leila Linda Louis Lucia Lukas Lydia Magda Malik Manuel Margot Maria Martin
Matilda Maya Michael Milan Miriam Mohan Natalie Nicolas Nina Noah Nora Omar Paula Peter Philip Priya Rachel Rafael Ravi
Rebecca Renata Richard Robert Roman Ruth Samuel Sandra Sara Sergei Sofie Simon Stella Susan Sven Tamara Teresa Theo Thomas
Tilda Tobias Valentin Vanessa Victor Vivian Walter Willem Yasmin Yuri Zara Zoltan""")
TEST_NAMES = words("""
Abel Adele Alba Aldo Anselm Arlo Aurora Benno Birgit Bodil Caleb Carmen Celeste Damian Delia Dorian Edgar Elsa Ernst
Estelle Ewan Fabian Freya Gideon Gwen Harriet Hector Hilda Ismael Ivo Jorge Josefine Kaspar Kirsten Leonor Linus Lorenzo
Luisa Mabel Magnus Marlene Mateo Merle Moritz Nelson Nuria Odile Orla Otto Pascal Perla Ramona Reuben Rosalind Rufus
Sabine Selma Silas Sigrid Tabea Tamsin Ulrich Verena Wilma Yolanda""")
CITIES = words("""
Lyon Porto Turin Bergen Graz Ghent Cork Malmo Izmir Cusco Kyoto Perth Lagos Quito Hanoi Delhi Oslo Riga Basel Leeds Nantes
Sofia Tunis Dakar Vienna Lisbon Madrid Prague Dublin Geneva Munich Naples Athens Warsaw Zagreb Krakow Seville Bilbao
Toulouse Bristol Glasgow Hamburg Dresden Bremen Utrecht Leiden Aarhus Odense Tampere Tallinn Vilnius Kaunas Bogota Lima
Santiago Havana Nairobi Accra Kigali Cairo Fez Amman Baku Tbilisi Almaty Manila Jakarta Seoul Osaka Taipei""")
TEST_CITIES = words("""
Antwerp Bologna Bordeaux Cadiz Cologne Debrecen Galway Genoa Grenoble Innsbruck Lausanne Linz Lublin Malaga Mostar Oulu
Palermo Parma Plovdiv Rouen Salzburg Split Trieste Uppsala""")
FIRMS = words("""
Atlas Borel Corvo Delta Ember Fjord Gamma Helio Iris Juno Kappa Lumen Mira Nova Orbit Pluto Quark Rune Sigma Terra Umbra
Vega Wisp Xeno Yarrow Zephyr Acorn Birch Cedar Dune Echo Fable Grove Hazel Ivory Jade Kestrel Lotus Maple Nimbus Onyx
Pioneer Raven Summit Tundra Vertex Willow Anchor Beacon Compass Falcon Glacier Harbor Meadow Prairie Quarry Sable Tempo""")
TEST_FIRMS = words("Aster Boreal Cobalt Drift Everest Garnet Halcyon Indigo Larch Mistral Nectar Opal Pelican Tarn Viola")
FIRM_KINDS = words("Labs Group Foods Motors Energy Systems Textiles Shipping")
ADJECTIVES = words("""
red blue green yellow black white brown orange purple silver golden grey small large old new wooden iron plastic heavy
round square tall narrow striped painted rusty polished""")
THINGS = words("""
locker drawer suitcase cabinet safe crate box door gate bicycle trunk chest barrel basket bottle cupboard desk engine
container trailer lamp ladder mailbox piano printer scooter shelf statue table tent wagon""")
CONTAINERS = words("locker drawer suitcase cabinet safe crate box trunk chest barrel basket cupboard desk container trailer mailbox tent")
PLACES = words("""
harbour_project museum_archive night_train school_kitchen north_bridge radio_station weather_mast city_library glass_house
old_mill south_tower river_ferry opera_stage town_hall rose_garden ice_rink paper_factory deep_mine fish_market bus_depot
sports_hall stone_quarry wind_farm film_studio court_house cable_car salt_works toy_shop book_fair tea_house""")
ROLES = words("manager architect guard editor driver cook auditor gardener treasurer nurse pilot painter welder tutor clerk tailor")
OBJECTS = words("""
spare_key first_aid_kit guest_list old_map signed_contract winter_coat ticket_roll tool_bag medal sealed_letter camera
coin_album violin telescope chess_set passport laptop umbrella flag recipe_book""")
RELATIONS = [("works with", "coworker"), ("shares a flat with", "flatmate"), ("is married to", "spouse"),
             ("trains with", "training partner"), ("studies with", "classmate"), ("plays chess with", "chess partner"),
             ("shares an office with", "office mate"), ("sings with", "singing partner")]
GOOD = ["beat its sales forecast", "raised its outlook for the year", "signed a large new customer",
        "cut its debt and grew its profit", "opened two new plants on time", "won a key approval", "reports strong demand",
        "doubled its earnings", "sold out its new product in a week", "gained market share in every region"]
BAD = ["missed its sales forecast", "lowered its outlook for the year", "lost its largest customer",
       "faces a costly lawsuit", "had to recall its main product", "lost its finance chief without notice",
       "reports weak demand", "halved its earnings", "closed its newest plant", "failed a safety inspection"]
FLAT = ["kept its outlook unchanged", "shows little movement", "trades close to its average price",
        "expects a quiet quarter", "reports results in line with plan", "has no news to share"]
LANDMARKS = {
    "France": "the Eiffel Tower|the Louvre|Mont Saint-Michel|the Palace of Versailles|Notre-Dame|the Pont du Gard|the Moulin Rouge|Chambord Castle",
    "Italy": "the Colosseum|the Leaning Tower of Pisa|the Trevi Fountain|the Uffizi Gallery|Pompeii|the Rialto Bridge|the Pantheon|Lake Como",
    "Spain": "the Sagrada Familia|the Alhambra|the Prado Museum|Park Guell|the Guggenheim Bilbao|Plaza Mayor|the Aqueduct of Segovia",
    "Germany": "the Brandenburg Gate|Neuschwanstein Castle|Cologne Cathedral|the Reichstag|Checkpoint Charlie|the Zugspitze|Zwinger Palace",
    "Egypt": "the Great Sphinx|the Pyramids of Giza|Karnak Temple|Abu Simbel|the Valley of the Kings|Luxor Temple",
    "Japan": "Mount Fuji|the Fushimi Inari Shrine|Tokyo Tower|Himeji Castle|the Golden Pavilion|Shibuya Crossing|Osaka Castle",
    "China": "the Great Wall|the Forbidden City|the Terracotta Army|the Potala Palace|the Bund|the Summer Palace",
    "India": "the Taj Mahal|the Red Fort|the Gateway of India|Hawa Mahal|the Lotus Temple|Amber Fort|Qutb Minar",
    "Brazil": "Christ the Redeemer|Sugarloaf Mountain|Copacabana Beach|Iguazu Falls|the Maracana",
    "Peru": "Machu Picchu|the Nazca Lines|Sacsayhuaman|Rainbow Mountain|Lake Titicaca",
    "Mexico": "Chichen Itza|Teotihuacan|the Tulum Ruins|the Zocalo|Palenque",
    "Australia": "the Sydney Opera House|Uluru|the Great Barrier Reef|Bondi Beach|the Twelve Apostles|Kakadu",
    "Canada": "the CN Tower|Banff National Park|Lake Louise|Chateau Frontenac|Stanley Park",
    "Greece": "the Acropolis|the Parthenon|Delphi|Meteora|the Palace of Knossos|Olympia",
    "Turkey": "Hagia Sophia|the Blue Mosque|Cappadocia|Ephesus|Topkapi Palace|Pamukkale",
    "Russia": "Red Square|the Hermitage|the Kremlin|the Bolshoi Theatre|Peterhof Palace|Lake Baikal",
    "England": "Big Ben|Tower Bridge|Stonehenge|Buckingham Palace|the London Eye|Hadrian's Wall",
    "Jordan": "the Treasury of Petra|Wadi Rum|the Citadel of Amman|Jerash",
    "Cambodia": "Angkor Wat|the Bayon Temple|Ta Prohm|the Royal Palace of Phnom Penh",
    "Kenya": "the Masai Mara|Mount Kenya|Amboseli|Lake Nakuru",
    "Norway": "the Geirangerfjord|Preikestolen|the Bryggen Wharf|Nidaros Cathedral",
    "Sweden": "the Vasa Museum|Drottningholm Palace|the Oresund Bridge|Gamla Stan",
    "Poland": "Wawel Castle|the Wieliczka Salt Mine|Malbork Castle|the Old Town of Warsaw",
    "Portugal": "the Belem Tower|Pena Palace|the Jeronimos Monastery|the Douro Valley",
}
LANDMARK_COUNTRY = [(landmark, country) for country, text in LANDMARKS.items() for landmark in text.split("|")]
# What is measured of things and of people: a fact, more, most, least, and the question for the number alone.
MEASURES = [("{} weighs {} kg", "weighs more", "weighs the most", "weighs the least", "How many kg does {} weigh?"),
            ("{} costs {} euros", "costs more", "costs the most", "costs the least", "How many euros does {} cost?"),
            ("{} is {} cm long", "is longer", "is the longest", "is the shortest", "How many cm long is {}?"),
            ("{} holds {} litres", "holds more", "holds the most", "holds the least", "How many litres does {} hold?")]
SCORES = [("{} scored {} points", "scored more points", "scored the most points", "scored the fewest points",
           "How many points did {} score?"),
          ("{} sold {} tickets", "sold more tickets", "sold the most tickets", "sold the fewest tickets",
           "How many tickets did {} sell?"),
          ("{} walked {} km", "walked further", "walked the furthest", "walked the least", "How many km did {} walk?")]

KEPT = {*TEST_NAMES, *TEST_CITIES, *TEST_FIRMS}
_ONSETS = "b d f g h j k l m n p r s t v z br dr gr kr pr tr st sh th".split()
_VOWELS = "a e i o u a e i o ia ei".split()
_CODAS = ["", "", "", "n", "l", "r", "s", "m", "k", "t"]


def syllables(r):
    name = "".join(r.choice(_ONSETS) + r.choice(_VOWELS) for _ in range(r.choice((1, 2, 2)))) + r.choice(_CODAS)
    return name if len(name) > 3 else name + r.choice(_ONSETS) + "o"


def made_up(r, known):
    """A name that no list holds, so that names are copied piece by piece and not only recalled: syllables, the head of one
    known name with the tail of another, or a known name with letters changed."""
    form = r.random()
    if form < .3:
        name = syllables(r)
    elif form < .7:
        head, tail = r.choice(known), r.choice(known)
        name = head[:r.randint(1, 4)] + tail[r.randint(1, max(1, len(tail) - 2)):]
    else:
        letters = list(r.choice(known))
        for _ in range(r.randint(1, 2)):
            letters[r.randrange(len(letters))] = r.choice("abcdefghijklmnopqrstuvwxyz")
        name = "".join(letters)
    name = name.capitalize()
    return made_up(r, known) if name in KEPT else name


def held_out(a, b):
    """Whether the combination of two words is kept for the tests: one in eight is."""
    return zlib.crc32(f"{a} {b}".encode()) % 8 == 0
