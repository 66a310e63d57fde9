"""How a request becomes a job: refuse early, acknowledge, download, frame, enqueue, show the card.

What can be refused from memory or with one look at the queue is refused before the acknowledgement, privately. What
needs the picture comes after it: by then the answer is public, so it is taken back and the refusal follows privately.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from functools import partial

from bot.edge.commands.reviews.holding import screen_picture
from bot.edge.commands.submission.admitting import (
    AskAuthor,
    Asked,
    Refused,
    admit,
    allowance_on,
    facts_of_job,
    refuse_full,
    setting_of,
)
from bot.edge.commands.submission.answers import acknowledge, answer, take_back
from bot.edge.commands.submission.asking import ask_privately, ask_publicly, picture_of, picture_request
from bot.edge.commands.submission.channel import ANSWER_WITHIN_MS, elsewhere_of, route_of, write_card
from bot.edge.commands.submission.choosing.elsewhere import place_for_card
from bot.edge.commands.submission.choosing.reading import write_options
from bot.edge.commands.submission.choosing.refusing import refuse, refused_quota, refused_settings
from bot.edge.commands.submission.download import new_job, take_picture
from bot.edge.commands.submission.options import (
    Options,
    Setting,
    check_request,
    told_again,
    told_of,
)
from bot.edge.commands.submission.sources import Source
from bot.edge.connection.cards import FirstWrite
from bot.edge.context import Interaction, Services
from bot.policy.facts import NOTHING_KNOWN, Entrance, Person, PictureFacts
from bot.policy.told import Told
from bot.queue.database import StoreFull
from bot.queue.job import Job, NewJob, PictureReleased, QueueFull
from bot.queue.job import Source as JobSource
from bot.queue.servers.quotas import QuotaReached
from bot.queue.servers.trust.consents import Consent
from bot.texts.explanations import explain_full, explain_source
from bot.texts.replies import (
    no_further_text,
    no_room_text,
    picture_gone_text,
    queued_already_text,
    too_long_text,
)
from generator.clip import ClipSettings
from generator.errors import SettingsError
from generator.memory import MIB
from generator.variants import Variant

log = logging.getLogger(__name__)

Prepare = Callable[[Job, ClipSettings], Awaitable[tuple[str, ClipSettings]]]
"""returns the name of another picture of a job, and the settings with it. Raises Refused"""


async def submit(
    interaction: Interaction,
    source: Source,
    options: Options,
    entrance: Entrance,
    picture: PictureFacts = NOTHING_KNOWN,
) -> None:
    """Turn one picture with its options into a job and its status card, or say why not."""
    services = interaction.client.services
    setting = setting_of(interaction)
    told = told_of(options, source.description)
    new = None
    try:
        # No longer counted as coming when it is enqueued: there it counts itself, and it must not count twice.
        with services.intake.coming(interaction.user.id) as coming:
            try:
                settings = _resolve(setting, options)
                asked = Asked(entrance=entrance, settings=settings, picture=picture)
                await admit(interaction, replace(asked, coming=coming))
                most = services.config.picture.max_mib * MIB  # what the file really is, only decoding tells
                if refusal := explain_source(source.filename, source.content_type, source.size, most):
                    raise Refused(refusal, mend="picture")
                await refuse_full(interaction, coming)
            except AskAuthor as ask:
                await ask_privately(
                    interaction, ask, settings, {"picture": picture_request(source), "told": asdict(told)}
                )
                return
            except Refused as refused:
                await refuse(interaction, refused, source, write_options(options), picture)
                return
            message_id = await acknowledge(interaction, private=elsewhere_of(interaction) is not None)
            if message_id is None:
                return
            new = await take_picture(interaction, source, setting.variant, settings, interaction.user.id)
        async with place_for_card(interaction, message_id) as card_id:
            await _accept(interaction, replace(new, told=told), card_id, asked)
    except Refused as refused:
        if new is not None and not refused.is_kept:
            await services.requests.delete_files([new.picture])
        await refuse(interaction, refused, source, write_options(options), picture)


async def submit_again(
    interaction: Interaction,
    job_id: int,
    settings_of: Callable[[ClipSettings], ClipSettings],
    entrance: Entrance,
    prepare: Prepare | None = None,
) -> None:
    """Enqueue another clip of an earlier job's picture, or of what `prepare` makes of it, for whoever asks."""
    services = interaction.client.services
    try:
        await admit(interaction, Asked(entrance=entrance))  # what needs no look at the job is told privately at once
        await refuse_full(interaction, 1)
    except Refused as refused:
        await answer(interaction, refused.text)
        return
    message_id = await acknowledge(interaction, private=False)
    if message_id is None:
        return
    try:
        job = await services.store.jobs.get(job_id)
        if job is None or not job.picture or not services.spool.path(job.picture).is_file():
            raise Refused(picture_gone_text())
        settings = settings_of(job.settings)
        if settings == job.settings:
            raise Refused(no_further_text())
        variant = _variant_now(services, settings)
        settings = variant.limited(replace(settings, variant=variant.name))
        name, settings = await prepare(job, settings) if prepare else (job.picture, settings)
        _check_request(settings, variant)
        picture = await facts_of_job(interaction, job)
        same = interaction.user.id, job.picture, settings
        if any(same == (other.user_id, other.picture, other.settings) for other in await services.store.jobs.active()):
            raise Refused(queued_already_text())
        route = route_of(interaction, spoiler=job.route.spoiler)
        new = await new_job(interaction, route, settings, name)
        asked = Asked(entrance=entrance, settings=settings, picture=picture)
        new = replace(new, of_job=job.id, told=told_again(job.told, job.settings, settings))
        await _accept(interaction, new, message_id, asked)
    except AskAuthor as ask:
        assert job is not None
        if prepare:  # it is made again after a yes: nothing is kept of it while the author thinks
            await services.requests.delete_files([name])
        await ask_publicly(interaction, ask, message_id, settings, {"job": job.id, "prepare": prepare is not None})
    except Refused as refused:
        if prepare and not refused.is_kept:
            services.spool.delete_request(str(interaction.id))
        await take_back(interaction, refused.text, **refused.more)


async def submit_allowed(interaction: Interaction, consent: Consent, message_id: int, prepare: Prepare) -> None:
    """Turn a request to which the picture's author agreed into a job; the interaction is theirs. Raises Refused.

    `prepare` makes what was asked with a picture of its own again.
    """
    services = interaction.client.services
    request = consent.request
    person = Person(id=consent.user_id, roles=frozenset(request["person"]["roles"]))
    settings = ClipSettings.from_json(request["settings"])
    variant = _variant_now(services, settings)
    settings = replace(settings, variant=variant.name)
    picture = PictureFacts(author_id=consent.author_id, is_allowed=True)
    asked = Asked(entrance=Entrance.ALLOWED, settings=settings, picture=picture, behalf=person)
    await admit(interaction, asked)
    if "job" in request:
        job = await services.store.jobs.get(request["job"])
        if job is None or not job.picture:
            raise Refused(picture_gone_text())
        is_own = bool(request.get("prepare"))
        name, settings = await prepare(job, settings) if is_own else (job.picture, settings)
        route = route_of(interaction, spoiler=job.route.spoiler)
        new = replace(await new_job(interaction, route, settings, name), of_job=job.id)
        new = replace(new, told=told_again(job.told, job.settings, settings))
        asked = replace(asked, picture=replace(await facts_of_job(interaction, job), is_allowed=True))
    else:
        is_own, source = True, picture_of(request["picture"])
        new = await take_picture(interaction, source, variant, settings, person.id)
        new = replace(new, told=Told.from_json(request.get("told")))
    route = replace(new.route, language=request.get("language"), own_language=request.get("own_language"))
    own = {"key": consent.key, "user_id": person.id, "share": request["share"], "route": route}
    new = replace(new, **own, allowance=allowance_on(interaction, person))
    try:
        await _accept(interaction, new, message_id, asked)
    except Refused as refused:
        if is_own and not refused.is_kept:
            await services.requests.delete_files([new.picture])
        raise


def _variant_now(services: Services, settings: ClipSettings) -> Variant:
    """Return the variant of earlier settings, or the one in use where that is gone."""
    return services.switches.variants.get(settings.variant, services.switches.variant)


def _resolve(setting: Setting, options: Options) -> ClipSettings:
    """Return the settings of the options; the shape may still be AUTO. Raises Refused."""
    try:
        return setting.resolve(options)
    except SettingsError as error:
        raise refused_settings(error) from error


def _check_request(settings: ClipSettings, variant: Variant) -> None:
    """Refuse another clip of a job that was accepted before there was a limit. Raises Refused."""
    try:
        check_request(settings, variant)
    except SettingsError as error:
        raise refused_settings(error) from error


async def _accept(interaction: Interaction, new: NewJob, message_id: int, asked: Asked) -> None:
    """Decide with all that is known now, enqueue, then show the card. Nothing else enqueues. Raises Refused.

    The job is on disk before the person reads that it was accepted.
    """
    services = interaction.client.services
    picture = replace(asked.picture, hash=new.source.hash or asked.picture.hash)
    facts = await admit(interaction, replace(asked, settings=new.settings, picture=picture))
    source = JobSource(hash=facts.picture.hash, who=facts.picture.who)
    new = await screen_picture(interaction, replace(new, source=source), facts)
    try:
        job = await services.store.jobs.enqueue(replace(new, card_message_id=message_id))
    except QueueFull as error:
        raise Refused(explain_full(error.scope, error.limit), mend="") from error
    except QuotaReached as error:
        raise refused_quota(error.exceeded) from error
    except PictureReleased as error:
        raise Refused(picture_gone_text()) from error
    except StoreFull as error:
        raise Refused(no_room_text(), mend="") from error
    await _refuse_long_wait(services, job)
    services.cards.open(job, FirstWrite(partial(write_card, interaction), services.spool.path(job.picture)))


async def _refuse_long_wait(services: Services, job: Job) -> None:
    """Refuse a job that will surely take longer than the 15 minutes for which the bot can only answer.

    Its position in the queue tells, so it is enqueued first and withdrawn again.
    """
    if job.route.can_post:
        return
    position = await services.store.jobs.position(job.id)
    if position is not None and position.eta_low_ms > ANSWER_WITHIN_MS and await services.store.jobs.withdraw(job.id):
        raise Refused(too_long_text(position.eta_low_ms), mend="")
