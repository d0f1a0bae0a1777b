"""What customers of an invented shop write to its help desk. Pure data, read by `samples.tickets`.

The shop sells household electronics and a yearly protection plan. Slots in braces are filled per ticket:
`{p}` product, `{order}` order number, `{days}`, `{amount}`, `{month}`, `{weekday}`, `{town}`.

The last phrasing of every issue, wish and settled matter is kept out of the training part, so the evaluation
file asks for a little understanding and not only for memory.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Meaning:
    """One thing to say, in the words of a summary and in those of customers."""

    short: str
    phrasings: tuple[str, ...]


def _says(short: str, *phrasings: str) -> Meaning:
    return Meaning(short, phrasings)


PRODUCTS = (
    "kettle", "toaster", "robot vacuum", "e-reader", "desk lamp", "coffee grinder", "air purifier", "soundbar",
    "router", "webcam", "tablet", "smart watch", "dehumidifier", "blender", "monitor", "keyboard", "printer",
    "hair dryer", "baby monitor", "doorbell camera", "power bank", "electric toothbrush", "fan heater", "radio",
    "rice cooker", "projector", "label printer", "headset", "thermostat", "steam iron",
)  # fmt: skip
MONTHS = ("January", "March", "April", "May", "June", "August", "September", "October", "November")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
TOWNS = ("Leeds", "Ghent", "Turku", "Porto", "Cork", "Graz", "Lund", "Bergen", "Tartu", "Nantes")
NAMES = ("Marta", "Jonas", "Priya", "Ewan", "Lucia", "Tom", "Aisha", "Henrik", "Noor", "Sam", "Ines", "Pavel")

LABELS = ("account", "billing", "cancellation", "delivery", "refund", "technical")
WEIGHTS = (0.14, 0.19, 0.11, 0.22, 0.16, 0.18)

ISSUES: dict[str, tuple[Meaning, ...]] = {
    "billing": (
        _says(
            "charged twice for the {p}",
            "I was charged twice for the {p}.",
            "There are two identical charges of {amount} on my card for one {p}.",
            "You took {amount} from my account two times, I only bought one {p}.",
            "My bank shows the payment for the {p} twice.",
            "{amount} left my bank on {weekday} and then the very same sum again, all for a single {p}.",
        ),
        _says(
            "invoice for the {p} missing",
            "I never got an invoice for the {p}.",
            "Could you send me the invoice for order {order}, the {p}?",
            "I need a proper receipt with VAT for the {p}.",
            "The invoice for my {p} was not in the confirmation mail.",
            "My accountant wants paperwork for the {p} and all I have is the confirmation mail.",
        ),
        _says(
            "wrong price billed for the {p}",
            "The price on the bill for the {p} is not the one you advertised.",
            "I was billed {amount} although the {p} was on offer.",
            "The discount code for the {p} was not taken off the invoice.",
            "Your bill for the {p} is {amount} too high.",
            "The {p} rang up dearer than what your site promised, the voucher seems to be ignored.",
        ),
        _says(
            "still billed after the plan for the {p} ended",
            "I ended the plan for the {p} in {month} and I am still being billed.",
            "My plan for the {p} was cancelled in {month} but the direct debit goes on.",
            "You keep charging {amount} for a {p} plan that ended in {month}.",
            "Why is there another payment for the {p} plan that I stopped in {month}?",
            "The {p} cover is long gone since {month}, yet {amount} disappears every month.",
        ),
        _says(
            "card declined when paying for the {p}",
            "My card was declined when I tried to pay for the {p}.",
            "The payment for the {p} does not go through, my card is fine elsewhere.",
            "Checkout says payment failed for the {p}, with two different cards.",
            "I cannot pay for the {p}, it rejects my card every time.",
            "Your checkout will not take my money for the {p}, whichever bank I use.",
        ),
    ),
    "delivery": (
        _says(
            "{p} not arrived after {days} days",
            "My {p} has not arrived after {days} days.",
            "I have been waiting {days} days for the {p}.",
            "The {p} should have been here {days} days ago.",
            "It has been {days} days and still no {p}.",
            "{days} days on the doorstep looking out for a {p} that does not come.",
        ),
        _says(
            "tracking of the {p} stuck in {town}",
            "The tracking for my {p} has been stuck in {town} since {weekday}.",
            "Tracking says the {p} is in {town} and it does not move.",
            "According to the tracking page the {p} sits in the depot in {town}.",
            "The parcel with the {p} has not left {town} since {weekday}.",
            "My {p} seems to have moved to {town} for good, the map has not changed since {weekday}.",
        ),
        _says(
            "{p} marked delivered but not received",
            "The {p} is marked as delivered but I have not received it.",
            "The courier says he handed over the {p}, nobody here got it.",
            "Your site says delivered, there is no {p} at my door.",
            "I got a delivery notice for the {p} but no parcel.",
            "Someone signed for the {p} on {weekday}, and it was not me or any neighbour.",
        ),
        _says(
            "wrong item sent instead of the {p}",
            "You sent me the wrong item, I ordered a {p}.",
            "The box had something else in it, not the {p} I ordered.",
            "I ordered a {p} and received a different product.",
            "Order {order} was for a {p} but another article came in the parcel.",
            "I opened the carton and found somebody else's order where my {p} should be.",
        ),
        _says(
            "address change for the {p} before shipping",
            "Can you change the shipping address for the {p}? I moved to {town}.",
            "The {p} is going to my old address, it must go to {town}.",
            "I typed the wrong street for the {p} order, please correct it before it ships.",
            "Please send the {p} to my office in {town} instead.",
            "I will be in {town} from {weekday}, could the {p} come there instead of home?",
        ),
    ),
    "refund": (
        _says(
            "money for the returned {p} not received",
            "I returned the {p} {days} days ago and have not got my money back.",
            "The refund for the {p} has still not arrived.",
            "You confirmed the return of the {p} but no refund came.",
            "Where is my refund for the {p}? I sent it back in {month}.",
            "The {p} went back to you in {month} and I have not seen a cent since.",
        ),
        _says(
            "refund for the {p} lower than paid",
            "The refund for the {p} is {amount} short.",
            "You only refunded part of what I paid for the {p}.",
            "I paid more for the {p} than you gave back, {amount} is missing.",
            "My refund for the {p} does not include the shipping.",
            "I got something back for the {p}, but it is {amount} less than it cost me.",
        ),
        _says(
            "return of the {p}",
            "I would like to return the {p}, it is not what I expected.",
            "How do I send the {p} back?",
            "The {p} does not fit, I want to return it.",
            "I need a return label for the {p}.",
            "The {p} is nice but not for us, it is back in its box and ready to go.",
        ),
        _says(
            "refund for the {p} sent to an old card",
            "The refund for the {p} went to a card that I no longer have.",
            "You refunded the {p} to my old card, it has expired.",
            "My card changed, the money for the {p} went to the old one.",
            "Please pay the refund for the {p} to a new card.",
            "That card was closed in {month}, so whatever you sent back for the {p} is lost in space.",
        ),
        _says(
            "store credit given instead of money for the {p}",
            "I got store credit for the {p} and I asked for money.",
            "You gave me a voucher instead of a refund for the {p}.",
            "I do not want credit for the {p}, I want the money.",
            "A gift card is no refund for a broken {p}.",
            "A coupon for the {p} is no use to me, I will not shop here again.",
        ),
    ),
    "account": (
        _says(
            "cannot log in to see the {p} order",
            "I cannot log in to see my {p} order.",
            "My password is not accepted any more, I need to see the {p} order.",
            "The log in page rejects my password when I look for the {p}.",
            "I am locked out of my account since I bought the {p}.",
            "The shop does not recognise me any more and my {p} papers are in there.",
        ),
        _says(
            "password reset mail for the {p} account missing",
            "The password reset mail does not come, I registered the {p} there.",
            "I asked for a new password three times and no mail arrived, the {p} is registered there.",
            "The reset link for the account with my {p} has expired.",
            "I do not receive the code to sign in and manage my {p}.",
            "I clicked forgotten password on {weekday} and my inbox is still empty, the {p} waits to be registered.",
        ),
        _says(
            "e-mail address of the {p} account to be changed",
            "How can I change the e-mail address on my account? The {p} is registered to the old one.",
            "My e-mail changed and the {p} is still linked to the old one.",
            "I need to update the phone number on my profile for the {p}.",
            "Please change the name on the account that owns the {p}.",
            "I married in {month}, so the name beside my {p} is not mine any more.",
        ),
        _says(
            "two accounts, {p} registered on the wrong one",
            "I have two accounts and the {p} is on the wrong one.",
            "Could you merge my accounts? The {p} is registered on the other one.",
            "I signed up twice by mistake, the {p} is under the old user name.",
            "My {p} is in a second account that I made by accident.",
            "I seem to exist twice in your shop, once with the {p} and once without.",
        ),
        _says(
            "unknown sign-in after the {p} order",
            "I got a warning about a sign-in that was not me, after ordering the {p}.",
            "Somebody else logged in to my account and looked at the {p} order.",
            "I think my account was hacked, there is a {p} order I did not make.",
            "There is a device from {town} in my profile that I do not know, and a {p} in the basket.",
            "A stranger in {town} seems to be shopping for a {p} as me.",
        ),
    ),
    "technical": (
        _says(
            "{p} does not turn on",
            "The {p} does not turn on.",
            "My {p} is dead, no light at all.",
            "The {p} worked for {days} days and now it will not start.",
            "I press the button and the {p} does nothing.",
            "Not a spark of life in the {p} since {weekday}, whichever socket I use.",
        ),
        _says(
            "{p} does not connect to wifi",
            "The {p} does not connect to the wifi.",
            "My {p} loses the connection every few minutes.",
            "The app does not find the {p}.",
            "Pairing the {p} with my phone fails at the last step.",
            "The {p} and my phone refuse to talk to each other since {weekday}.",
        ),
        _says(
            "error code {code} on the {p}",
            "The {p} shows error {code}.",
            "Error code {code} keeps coming up on the {p}.",
            "My {p} stops with the message {code}.",
            "After the update the {p} only displays {code}.",
            "All I get from the {p} these days is a blinking {code}.",
        ),
        _says(
            "{p} makes a loud noise",
            "The {p} makes a loud noise.",
            "There is a strange rattling sound from the {p}.",
            "My {p} got very loud after {days} days.",
            "The {p} buzzes all the time, it is not normal.",
            "The {p} screams like a jet when it runs, the dog hides.",
        ),
        _says(
            "{p} battery lasts only {days} minutes",
            "The battery of the {p} only lasts {days} minutes.",
            "My {p} does not charge properly, {days} minutes and it is empty.",
            "The {p} gets hot and the battery is empty after {days} minutes.",
            "Charging the {p} takes all night and it runs {days} minutes.",
            "{days} minutes is all the {p} gives me before it needs the plug again.",
        ),
    ),
    "cancellation": (
        _says(
            "order of the {p} to be cancelled",
            "Please cancel my order for the {p}.",
            "I want to cancel order {order}, the {p}.",
            "I ordered the {p} by mistake, can you stop it?",
            "I do not need the {p} any more, please cancel it before it ships.",
            "I found a {p} elsewhere, so kindly drop order {order}.",
        ),
        _says(
            "protection plan for the {p} to be ended",
            "I want to end the protection plan for the {p}.",
            "How do I cancel the plan for my {p}?",
            "Please stop the {p} plan at the end of {month}.",
            "I am cancelling the cover for the {p}.",
            "I sold the {p}, so its cover can go at the end of {month}.",
        ),
        _says(
            "cancel button for the {p} plan not working",
            "The cancel button for the {p} plan does nothing.",
            "I tried to cancel the {p} plan online and the page goes in circles.",
            "Your site does not let me cancel the {p} plan.",
            "There is no way to end the {p} plan in my profile.",
            "I have been looking for the way out of the {p} plan for {days} minutes.",
        ),
        _says(
            "no confirmation that the {p} order was cancelled",
            "I cancelled the {p} and never got a confirmation.",
            "Is my {p} order cancelled now or not?",
            "I asked you to cancel the {p} on {weekday}, nobody confirmed.",
            "The {p} order still shows as open although I cancelled it.",
            "I told you on {weekday} to drop the {p} and have heard nothing, is it off?",
        ),
        _says(
            "renewal of the {p} plan not wanted",
            "I do not want the {p} plan to renew in {month}.",
            "Please switch off automatic renewal for the {p} plan.",
            "My {p} plan must not be renewed.",
            "Do not extend the contract for the {p} after {month}.",
            "Let the {p} cover run out in {month}, another year is not needed.",
        ),
    ),
}

WISHES: dict[str, tuple[Meaning, ...]] = {
    "billing": (
        _says(
            "a corrected invoice",
            "Please send me a corrected invoice.",
            "I need a new invoice with the right amount.",
            "Kindly correct the bill.",
            "The books have to be right, so please redo the paperwork.",
        ),
        _says(
            "the charge explained",
            "Please explain this charge.",
            "What exactly did I pay for?",
            "Can you check the payment and tell me what happened?",
            "I would like to understand what this sum is for.",
        ),
    ),
    "delivery": (
        _says(
            "a replacement sent",
            "Please send me a new one.",
            "I want a replacement shipped today.",
            "Just send another one.",
            "Put another one in the post and we are even.",
        ),
        _says(
            "a delivery date",
            "When will it be delivered?",
            "I need a firm delivery date.",
            "Please tell me when the parcel arrives.",
            "Which day do I have to stay at home for it?",
        ),
    ),
    "refund": (
        _says(
            "a full refund",
            "I want a full refund.",
            "Please give me my money back.",
            "I expect you to refund the whole amount.",
            "What I paid has to come back to me, all of it.",
        ),
        _says(
            "a return label",
            "Please send a return label, I want my money back.",
            "I am sending it back and want to be refunded.",
            "Tell me where to return it for a refund.",
            "Tell me where to post it so that we can undo the purchase.",
        ),
    ),
    "account": (
        _says(
            "the password reset",
            "Please reset my password.",
            "Can you send me a new password?",
            "I need access to my account again.",
            "Just let me back in.",
        ),
        _says(
            "the account deleted",
            "Please delete my account and all my data.",
            "I want my profile removed.",
            "Close my account and erase my details.",
            "Forget that you ever knew me, every last record.",
        ),
    ),
    "technical": (
        _says(
            "help to fix it",
            "How do I fix this?",
            "What can I do to get it working?",
            "Is there a reset or an update that helps?",
            "Any trick to bring it back to life?",
        ),
        _says(
            "a technician to call",
            "Please have a technician call me.",
            "Can somebody from technical support ring me?",
            "I need help from support to set it up.",
            "Someone who knows the insides should ring me.",
        ),
    ),
    "cancellation": (
        _says(
            "the order cancelled",
            "Please cancel the whole order.",
            "I want to cancel.",
            "Cancel it, I do not want it any more.",
            "Then call the whole thing off.",
        ),
        _says(
            "the plan ended",
            "Please end my plan.",
            "I want my subscription stopped.",
            "Cancel my plan from next month.",
            "I am out, let the contract lapse.",
        ),
    ),
}

NEUTRAL_WISHES = (
    "Please help.",
    "Can you look into it?",
    "What do I have to do?",
    "Thanks for your help.",
    "Please get back to me.",
    "I hope for a quick answer.",
    "Could someone check this?",
)

CROSSINGS: dict[str, tuple[str, ...]] = {
    "refund": ("delivery", "technical", "billing", "account"),
    "cancellation": ("delivery", "technical", "billing", "account"),
    "delivery": ("technical", "refund"),
    "account": ("cancellation", "technical", "billing"),
    "billing": ("delivery", "refund", "cancellation"),
    "technical": ("account", "cancellation"),
}
"""Label → the kinds of trouble that can lead a customer to ask for it."""

SETTLED: dict[str, tuple[str, ...]] = {
    "billing": (
        "The invoice is fine, thank you.",
        "This is not about the payment, that went through.",
        "You already corrected the bill.",
        "I have no quarrel with the charge.",
    ),
    "delivery": (
        "The parcel came on time.",
        "Delivery was quick, no complaints there.",
        "The courier was here on {weekday}, so that is solved.",
        "The box got here in one piece.",
    ),
    "refund": (
        "I already got the refund for the {q}.",
        "I do not want my money back.",
        "The return of the {q} went fine.",
        "You may keep the money.",
    ),
    "account": (
        "I can log in again, thanks.",
        "My new password works.",
        "The account is sorted out.",
        "I am back inside my profile.",
    ),
    "technical": (
        "The {q} works again after the update.",
        "Your support fixed the error on the {q}.",
        "The {q} itself is fine, nothing is broken.",
        "No trouble with how the {q} runs.",
    ),
    "cancellation": (
        "I do not want to cancel.",
        "The {q} order is cancelled already, thanks for that.",
        "I decided to keep the plan.",
        "I stay with you, no worries.",
    ),
}
"""Label → what a customer says of a matter that is closed, or never was one. `{q}` is another product."""

VAGUE: dict[str, tuple[str, ...]] = {
    "billing": ("The amount is still not right.", "That sum again this month?", "I will not pay that."),
    "delivery": ("Still nothing here.", "Where is it?", "Nobody came on {weekday}."),
    "refund": ("I am still waiting for my {amount}.", "It is on its way back to you.", "It has been {days} days."),
    "account": ("It still says wrong user.", "I cannot get in.", "The mail never came."),
    "technical": ("It happened again.", "Still the same, nothing helps.", "It stopped on {weekday}."),
    "cancellation": ("I have changed my mind.", "I do not want it any more.", "Please stop it."),
}

FILLERS = (
    "I have been a customer for {days} years.",
    "I already wrote to you on {weekday}.",
    "Your chat bot could not help me.",
    "I tried to call and nobody picked up.",
    "The order number is {order}.",
    "I paid {amount} for it.",
    "I chose express delivery.",
    "I bought it in {month}.",
    "It was a present for my mother.",
    "My account is under this e-mail address.",
    "I pay by card as always.",
    "The box and the receipt are still here.",
    "I use the app on my phone.",
    "We also have a {q} from you.",
    "My neighbour had the same with a {q}.",
    "I live in {town}.",
)

GREETINGS = ("Hello,", "Hi,", "Good morning,", "Dear support team,", "Hi there,", "Dear Sir or Madam,", "Hey,")
CLOSINGS = ("Kind regards, {name}", "Best, {name}", "Thanks, {name}", "{name}", "Regards, {name} from {town}")
URGENT = ("This is urgent.", "I need this today!", "Please hurry.", "I have been waiting long enough.")
RELAXED = ("No hurry.", "Take your time.", "Whenever you have a minute.")
PIVOTS = ("But", "However,", "Now", "Only", "Still,", "What I am writing about:")
