"""The rehearsal's people: names as they are met in Chhattisgarh, in Latin letters and in Devanagari.

Written for this project. A name is put together by chance; whoever bears it in life is not meant.
"""

from dataclasses import dataclass

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Community:
    """First names and surnames that go together. `weight` is how many in a hundred people are named from here."""

    weight: int
    first: tuple[Pair, ...]
    surnames: tuple[Pair, ...]


_FIRST = """
Aarti आरती; Ajay अजय; Amrit अमृत; Anil अनिल; Anita अनीता; Anjali अंजलि; Anjor अंजोर;
Annapurna अन्नपूर्णा; Arun अरुण; Asha आशा; Ashok अशोक; Avinash अविनाश; Babita बबीता; Balram बलराम;
Basant बसंत; Bhagwati भगवती; Bharat भरत; Bhuneshwar भुनेश्वर; Bhupendra भूपेंद्र; Bindu बिंदु;
Bisahu बिसाहू; Bisahin बिसाहिन; Chait चैत; Champa चंपा; Chandrika चंद्रिका; Chhabi छबि;
Chitrarekha चित्ररेखा; Dashrath दशरथ; Deepak दीपक; Devki देवकी; Dhanesh धनेश; Dhaniram धनीराम;
Dileep दिलीप; Dinesh दिनेश; Dropadi द्रोपदी; Dukalu दुकालू; Durga दुर्गा; Falguni फाल्गुनी; Ganesh गणेश;
Gangotri गंगोत्री; Gayatri गायत्री; Geeta गीता; Ghanshyam घनश्याम; Girdhari गिरधारी; Gopal गोपाल;
Govind गोविंद; Hari हरि; Hemlata हेमलता; Hiraman हीरामन; Indra इंद्रा; Ishwar ईश्वर; Itwari इतवारी;
Jagdish जगदीश; Jamuna जमुना; Janki जानकी; Jethu जेठू; Jyoti ज्योति; Kamla कमला; Kaushalya कौशल्या;
Keshav केशव; Khemlal खेमलाल; Kiran किरण; Kishore किशोर; Kumari कुमारी; Lakhan लखन; Lalita ललिता;
Laxmi लक्ष्मी; Lokesh लोकेश; Madhuri माधुरी; Mahesh महेश; Malti मालती; Manharan मनहरण; Manju मंजू;
Mansharam मंशाराम; Meena मीना; Mohan मोहन; Mukesh मुकेश; Narendra नरेंद्र; Neelam नीलम; Nirmala निर्मला;
Om ओम; Padma पद्मा; Pardeshi परदेशी; Parvati पार्वती; Phulbai फूलबाई; Pradeep प्रदीप; Prakash प्रकाश;
Premlata प्रेमलता; Puniya पुनिया; Pushpa पुष्पा; Radha राधा; Rajesh राजेश; Rajkumar राजकुमार;
Rakesh राकेश; Ramesh रमेश; Ramkumar रामकुमार; Ramnarayan रामनारायण; Rekha रेखा; Rukmani रुक्मणी;
Sahadev सहदेव; Sandeep संदीप; Sangita संगीता; Sanjay संजय; Santosh संतोष; Sarita सरिता; Saroj सरोज;
Savitri सावित्री; Seema सीमा; Shanti शांति; Shatrughan शत्रुघन; Shiv शिव; Shyam श्याम; Sita सीता;
Sohan सोहन; Somnath सोमनाथ; Sukhram सुखराम; Suman सुमन; Sunita सुनीता; Suresh सुरेश; Sushila सुशीला;
Tijan तीजन; Tulsi तुलसी; Uma उमा; Urmila उर्मिला; Usha उषा; Vidya विद्या; Vijay विजय; Vimla विमला;
Vinod विनोद; Vishnu विष्णु; Yashoda यशोदा; Yogesh योगेश
"""

_SURNAMES = """
Agrawal अग्रवाल; Anant अनंत; Baghel बघेल; Banjare बंजारे; Bareth बरेठ; Bhardwaj भारद्वाज;
Chandra चंद्रा; Chandrakar चंद्राकर; Chauhan चौहान; Devangan देवांगन; Dhiwar धीवर; Dhruw ध्रुव;
Dubey दुबे; Ghritlahre घृतलहरे; Gond गोंड; Gupta गुप्ता; Jaiswal जायसवाल; Jangde जांगड़े; Joshi जोशी;
Kanwar कंवर; Kashyap कश्यप; Kaushik कौशिक; Kewat केंवट; Khande खांडे; Khunte खूंटे; Kurre कुर्रे;
Lahre लहरे; Mahant महंत; Manikpuri मानिकपुरी; Maravi मरावी; Markam मरकाम; Mishra मिश्रा; Netam नेताम;
Nirmalkar निर्मलकर; Nishad निषाद; Ogre ओगरे; Paikra पैकरा; Pandey पांडेय; Patel पटेल; Patle पाटले;
Porte पोर्ते; Rajak रजक; Rajput राजपूत; Rathore राठौर; Ratre रात्रे; Sahu साहू; Sarthi सारथी; Sen सेन;
Shrivas श्रीवास; Shukla शुक्ला; Sidar सिदार; Singh सिंह; Soni सोनी; Sonwani सोनवानी;
Suryavanshi सूर्यवंशी; Tandon टंडन; Tekam टेकाम; Thakur ठाकुर; Tiwari तिवारी; Uikey उइके;
Vaishnav वैष्णव; Verma वर्मा; Vishwakarma विश्वकर्मा; Yadav यादव; Yadu यदु
"""

_FIRST_WITH_KHAN = """
Abdul अब्दुल; Amina अमीना; Farida फरीदा; Imran इमरान; Iqbal इक़बाल; Nasir नासिर; Noor नूर; Parveen परवीन; Rashid राशिद;
Rehana रेहाना; Salim सलीम; Shabana शबाना; Shakil शकील; Yusuf यूसुफ; Zarina ज़रीना
"""
_SURNAMES_WITH_KHAN = "Ali अली; Ansari अंसारी; Khan ख़ान; Mohammad मोहम्मद; Qureshi क़ुरैशी; Sheikh शेख"

_FIRST_WITH_EKKA = """
Albert अल्बर्ट; Alma अल्मा; Anand आनंद; Christina क्रिस्टीना; Joseph जोसेफ; Julius जूलियस; Mary मेरी; Prabha प्रभा;
Rosalia रोज़लिया; Samuel सैमुअल; Sushil सुशील; Teresa टेरेसा
"""
_SURNAMES_WITH_EKKA = "Ekka एक्का; Kerketta केरकेट्टा; Lakra लकड़ा; Masih मसीह; Minj मिंज; Tirkey तिर्की; Toppo टोप्पो"


def _pairs(written: str) -> tuple[Pair, ...]:
    pairs = []
    for each in written.split(";"):
        latin, devanagari = each.split()
        pairs.append((latin, devanagari))
    return tuple(pairs)


COMMUNITIES = (
    Community(91, _pairs(_FIRST), _pairs(_SURNAMES)),
    Community(6, _pairs(_FIRST_WITH_KHAN), _pairs(_SURNAMES_WITH_KHAN)),
    Community(3, _pairs(_FIRST_WITH_EKKA), _pairs(_SURNAMES_WITH_EKKA)),
)
