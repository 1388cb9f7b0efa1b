"""The offices of the rehearsal: real places around Bilaspur, Mungeli and Pendra Road, with positions good to some km.

Which place is a sub-division and which a distribution centre was chosen here; it is not the company's own list.
"""

from dataclasses import dataclass

REGION_NAME = ("Bilaspur Region", "बिलासपुर क्षेत्र")
CIRCLE_NAME = ("Bilaspur", "बिलासपुर")


@dataclass(frozen=True, slots=True)
class Centre:
    """A distribution centre. `weight` is its share of the circle's connections, among all weights; degrees WGS 84."""

    name: str
    name_hi: str
    latitude: float
    longitude: float
    weight: int


@dataclass(frozen=True, slots=True)
class Subdivision:
    """A sub-division and its centres."""

    name: str
    name_hi: str
    centres: tuple[Centre, ...]


@dataclass(frozen=True, slots=True)
class Division:
    """A division and its sub-divisions."""

    name: str
    name_hi: str
    subdivisions: tuple[Subdivision, ...]


DIVISIONS = (
    Division(
        "Bilaspur",
        "बिलासपुर",
        (
            Subdivision(
                "Tifra",
                "तिफरा",
                (
                    Centre("Tifra", "तिफरा", 22.060, 82.125, 6),
                    Centre("Sirgitti", "सिरगिट्टी", 22.047, 82.143, 5),
                    Centre("Sakri", "सकरी", 22.117, 82.083, 4),
                    Centre("Koni", "कोनी", 22.130, 82.137, 4),
                    Centre("Mopka", "मोपका", 22.087, 82.197, 4),
                ),
            ),
            Subdivision(
                "Takhatpur",
                "तखतपुर",
                (
                    Centre("Takhatpur", "तखतपुर", 22.128, 81.870, 5),
                    Centre("Ganiyari", "गनियारी", 22.195, 81.990, 3),
                    Centre("Kathakoni", "काठाकोनी", 22.120, 81.955, 2),
                ),
            ),
            Subdivision(
                "Kota",
                "कोटा",
                (
                    Centre("Kota", "कोटा", 22.300, 82.025, 5),
                    Centre("Ratanpur", "रतनपुर", 22.287, 82.165, 4),
                    Centre("Belgahna", "बेलगहना", 22.425, 82.050, 2),
                ),
            ),
            Subdivision(
                "Bilha",
                "बिल्हा",
                (
                    Centre("Bilha", "बिल्हा", 21.950, 82.055, 4),
                    Centre("Chakarbhatha", "चकरभाठा", 22.015, 82.095, 4),
                    Centre("Bodri", "बोदरी", 21.995, 82.110, 3),
                ),
            ),
            Subdivision(
                "Masturi",
                "मस्तूरी",
                (
                    Centre("Masturi", "मस्तूरी", 21.990, 82.267, 4),
                    Centre("Sipat", "सीपत", 22.130, 82.290, 4),
                    Centre("Malhar", "मल्हार", 21.890, 82.285, 3),
                    Centre("Jairamnagar", "जयरामनगर", 22.020, 82.340, 2),
                    Centre("Pachpedi", "पचपेड़ी", 21.830, 82.370, 2),
                ),
            ),
        ),
    ),
    Division(
        "Mungeli",
        "मुंगेली",
        (
            Subdivision(
                "Mungeli",
                "मुंगेली",
                (
                    Centre("Mungeli", "मुंगेली", 22.067, 81.685, 6),
                    Centre("Setganga", "सेतगंगा", 22.150, 81.600, 2),
                    Centre("Jarhagaon", "जरहागांव", 22.085, 81.790, 2),
                    Centre("Pathariya", "पथरिया", 22.000, 81.830, 3),
                    Centre("Sargaon", "सरगांव", 21.970, 81.930, 3),
                ),
            ),
            Subdivision(
                "Lormi",
                "लोरमी",
                (
                    Centre("Lormi", "लोरमी", 22.275, 81.700, 5),
                    Centre("Khudiya", "खुड़िया", 22.370, 81.600, 2),
                ),
            ),
        ),
    ),
    Division(
        "Pendra Road",
        "पेंड्रारोड",
        (
            Subdivision(
                "Gaurela",
                "गौरेला",
                (
                    Centre("Gaurela", "गौरेला", 22.760, 81.900, 4),
                    Centre("Pendra", "पेंड्रा", 22.775, 81.955, 4),
                    Centre("Khodri", "खोडरी", 22.680, 81.920, 2),
                ),
            ),
            Subdivision(
                "Marwahi",
                "मरवाही",
                (
                    Centre("Marwahi", "मरवाही", 22.990, 82.050, 3),
                    Centre("Kotmi", "कोटमी", 22.840, 82.030, 2),
                ),
            ),
        ),
    ),
)
