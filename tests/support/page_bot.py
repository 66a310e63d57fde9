"""A plain discord.py bot that answers with every kind of component: `python -m tests.support.page_bot PROXY TOKEN`."""

from __future__ import annotations

import asyncio
import io
import logging
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import discord
import imageio_ffmpeg
from discord import app_commands, ui
from PIL import Image, ImageDraw


def clip() -> io.BytesIO:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        source = ["-f", "lavfi", "-i", "testsrc=size=256x144:rate=7:duration=2"]
        target = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-movflags", "+faststart", str(path)]
        subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *source, *target], check=True)
        return io.BytesIO(path.read_bytes())


def picture(width: int = 640, height: int = 360, label: str = "") -> io.BytesIO:
    image = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    ImageDraw.Draw(image).ellipse((width // 3, height // 4, width // 3 * 2, height // 4 * 3), fill=(226, 120, 90))
    ImageDraw.Draw(image).text((8, 8), label, fill=(255, 255, 255))
    data = io.BytesIO()
    image.save(data, "PNG")
    data.seek(0)
    return data


def moving() -> io.BytesIO:
    frames = [Image.new("RGB", (160, 90), (30 * step, 80, 200 - 30 * step)) for step in range(6)]
    data = io.BytesIO()
    frames[0].save(data, "GIF", save_all=True, append_images=frames[1:], duration=120, loop=0)
    data.seek(0)
    return data


def moving_webp(frames: int = 6) -> bytes:
    pictures = [Image.new("RGB", (256, 144), (30 * step, 80, 200 - 30 * step)) for step in range(frames)]
    data = io.BytesIO()
    pictures[0].save(data, "WEBP", save_all=frames > 1, append_images=pictures[1:], duration=120, loop=0)
    return data.getvalue()


class PageBot(discord.AutoShardedClient):
    def __init__(self, proxy: str) -> None:
        super().__init__(intents=discord.Intents(guilds=True), proxy=proxy, guild_ready_timeout=0.1)
        self.tree = app_commands.CommandTree(self)
        commands: list[app_commands.Command[Any, ..., Any] | app_commands.Group]
        commands = [animate, recipe, components, whisper, slow, silent, form, boxes, admin]
        for command in commands:
            self.tree.add_command(command)
        self.tree.add_command(app_commands.ContextMenu(name="Animate this image", callback=animate_message))

    async def setup_hook(self) -> None:
        await self.tree.sync()


@app_commands.command(description="Bring a picture to life")
@app_commands.describe(
    image="The picture", motion="How much moves", strength="0 is still", smooth="More frames", title="A title"
)
@app_commands.choices(
    motion=[app_commands.Choice(name=name, value=name.lower()) for name in ("Gentle", "Normal", "Lively")]
)
async def animate(
    interaction: discord.Interaction,
    image: discord.Attachment,
    motion: app_commands.Choice[str] | None = None,
    strength: app_commands.Range[int, 0, 255] | None = None,
    smooth: bool | None = None,
    title: str | None = None,
) -> None:
    await interaction.response.defer()
    chosen = f"motion={motion.value if motion else None} strength={strength} smooth={smooth} title={title}"
    await interaction.edit_original_response(view=card(f"**{image.filename}** {image.size} bytes\n{chosen}"))
    assert isinstance(interaction.channel, discord.abc.Messageable)
    message = await interaction.original_response()
    await interaction.channel.send(
        f"Done, {interaction.user.mention}",
        file=discord.File(clip(), "clip.mp4"),
        reference=message,
        mention_author=False,
    )


@animate.autocomplete("title")
async def titles(_interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
    return [
        app_commands.Choice(name=f"{typed} {ending}".strip(), value=f"{typed}-{ending}")
        for ending in ("at dusk", "by night")
    ]


def card(text: str) -> ui.LayoutView:
    view = ui.LayoutView(timeout=None)
    row: ui.ActionRow[ui.LayoutView] = ui.ActionRow()
    row.add_item(ui.Button(label="Cancel", style=discord.ButtonStyle.danger, custom_id="cancel"))
    view.add_item(ui.Container(ui.TextDisplay(f"### Rendering\n{text}\n-# step 3 of 25"), row, accent_colour=0x7A5AF2))
    return view


@app_commands.command(description="Every component at once")
async def components(interaction: discord.Interaction) -> None:
    view = Components()
    files = [
        discord.File(picture(label="one"), "one.png", description="The first picture"),
        discord.File(picture(label="two"), "two.png"),
        discord.File(moving(), "moving.gif"),
        discord.File(clip(), "clip.mp4"),
        discord.File(io.BytesIO(b"notes"), "notes.txt"),
        discord.File(picture(200, 200), "thumb.png"),
    ]
    await interaction.response.send_message(view=view, files=files)


MARKDOWN = """# Header
**bold** *italic* __under__ ~~gone~~ `code` ||hidden|| [link](https://example.com) <script>alert(1)</script>
> a quote
- first
  - nested
1. one
-# small print <t:1700000000:R>
```py
print("<b>not bold</b>")
```"""


class Components(ui.LayoutView):
    def __init__(self) -> None:
        super().__init__(timeout=None)
        text = f"{MARKDOWN}"
        section: ui.Section[Components] = ui.Section(
            ui.TextDisplay("Beside a thumbnail"), accessory=ui.Thumbnail("attachment://thumb.png")
        )
        asking = ui.Section(ui.TextDisplay("Beside a button"), accessory=Count())
        gallery: ui.MediaGallery[Components] = ui.MediaGallery(
            discord.MediaGalleryItem("attachment://one.png", description="The first picture"),
            discord.MediaGalleryItem("attachment://two.png", spoiler=True),
            discord.MediaGalleryItem("attachment://moving.gif"),
        )
        clip: ui.MediaGallery[Components] = ui.MediaGallery(discord.MediaGalleryItem("attachment://clip.mp4"))
        inside = [
            *(
                ui.TextDisplay(text),
                section,
                asking,
                ui.Separator(spacing=discord.SeparatorSpacing.large),
                gallery,
                clip,
            ),
            *(
                ui.File("attachment://notes.txt"),
                ui.ActionRow(*buttons()),
                ui.ActionRow(Pick()),
                ui.ActionRow(People()),
            ),
        ]
        self.add_item(ui.Container(*inside, accent_colour=0xE0527E))


def buttons() -> list[ui.Button[Components]]:
    style = discord.ButtonStyle
    return [
        Count(),
        ui.Button(label="Done", style=style.success, emoji="✅", custom_id="done"),
        Never(label="Never answers", style=style.danger),
        ui.Button(label="Off", style=style.secondary, custom_id="off", disabled=True),
        ui.Button(label="Site", url="https://example.com"),
    ]


class Count(ui.Button[Components]):
    def __init__(self) -> None:
        super().__init__(label="Pressed 0", style=discord.ButtonStyle.primary)
        self.times = 0

    async def callback(self, interaction: discord.Interaction) -> None:
        self.times += 1
        self.label = f"Pressed {self.times}"
        await interaction.response.edit_message(view=self.view)


class Never(ui.Button[Components]):
    async def callback(self, interaction: discord.Interaction) -> None:
        await asyncio.sleep(5)  # discord.py answers by itself after this, which is too late


class Pick(ui.Select[Components]):
    def __init__(self) -> None:
        options = [
            discord.SelectOption(label=name, value=name, description=f"Choose {name}") for name in ("svd", "svd-xt")
        ]
        super().__init__(placeholder="Variant", options=options)

    async def callback(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(f"Picked {self.values[0]}", ephemeral=True)


class People(ui.UserSelect[Components]):
    def __init__(self) -> None:
        super().__init__(placeholder="People", max_values=2)

    async def callback(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(f"Picked {len(self.values)} people", ephemeral=True)


@app_commands.command(description="How a clip was made")
async def recipe(interaction: discord.Interaction, clip: discord.Attachment | None = None) -> None:
    await interaction.response.send_message(f"Recipe of {clip}", ephemeral=True)


@app_commands.command(description="Only you see the answer")
async def whisper(interaction: discord.Interaction) -> None:
    await interaction.response.send_message("A secret for **you**", ephemeral=True)


@app_commands.command(description="Think for a while")
async def slow(interaction: discord.Interaction) -> None:
    await interaction.response.defer()
    await asyncio.sleep(1.5)
    await interaction.edit_original_response(content="Thought enough")


@app_commands.command(description="Never answer")
async def silent(_interaction: discord.Interaction) -> None:
    return


@app_commands.command(description="Open a form")
async def form(interaction: discord.Interaction) -> None:
    await interaction.response.send_modal(Form())


@app_commands.command(description="Open a form with boxes and files")
async def boxes(interaction: discord.Interaction) -> None:
    await interaction.response.send_modal(BoxForm())


class BoxForm(ui.Modal, title="Boxes and files"):
    words: ui.TextDisplay[Any] = ui.TextDisplay("Read **this** first.")
    files: ui.Label[BoxForm] = ui.Label(
        text="Files", description="One or two pictures", component=ui.FileUpload(min_values=1, max_values=2)
    )
    pair: ui.Label[BoxForm] = ui.Label(
        text="Pair",
        component=ui.CheckboxGroup(
            options=[discord.CheckboxGroupOption(label=name) for name in "ABC"], min_values=2, max_values=2
        ),
    )
    speed: ui.Label[BoxForm] = ui.Label(
        text="Speed",
        component=ui.RadioGroup(
            options=[
                discord.RadioGroupOption(label="Slow", description="Takes its time"),
                discord.RadioGroupOption(label="Fast", default=True),
            ]
        ),
    )
    sure: ui.Label[BoxForm] = ui.Label(text="Sure", description="Think twice", component=ui.Checkbox())

    async def on_submit(self, interaction: discord.Interaction) -> None:
        files, pair, speed, sure = (
            getattr(item.component, "value", getattr(item.component, "values", None))
            for item in (self.files, self.pair, self.speed, self.sure)
        )
        names = [one.filename for one in files or []]
        await interaction.response.send_message(f"Boxes: {names} {pair} {speed} {sure}", ephemeral=True)


class Form(ui.Modal, title="Animate with care"):
    name: ui.Label[Form] = ui.Label(text="Name", component=ui.TextInput(min_length=2))
    variant: ui.Label[Form] = ui.Label(
        text="Variant",
        description="Which model",
        component=ui.Select(options=[discord.SelectOption(label=name) for name in ("svd", "svd-xt")]),
    )
    image: ui.Label[Form] = ui.Label(text="Picture", component=ui.FileUpload(required=False))
    speed: ui.Label[Form] = ui.Label(
        text="Speed",
        component=ui.RadioGroup(options=[discord.RadioGroupOption(label=name) for name in ("Slow", "Fast")]),
    )
    extras: ui.Label[Form] = ui.Label(
        text="Extras",
        component=ui.CheckboxGroup(
            options=[discord.CheckboxGroupOption(label=name) for name in ("Loop", "Smooth")], required=False
        ),
    )

    async def on_submit(self, interaction: discord.Interaction) -> None:
        answers = [
            self.name.component,
            self.variant.component,
            self.image.component,
            self.speed.component,
            self.extras.component,
        ]
        said = [getattr(item, "value", None) or getattr(item, "values", None) for item in answers]
        names = [
            [getattr(one, "filename", one) for one in item] if isinstance(item, (list, tuple)) else item
            for item in said
        ]
        await interaction.response.send_message(f"Form: {names}", ephemeral=True)


async def animate_message(interaction: discord.Interaction, message: discord.Message) -> None:
    await interaction.response.send_message(f"Would animate {message.attachments[0].filename}", ephemeral=True)


admin = app_commands.Group(
    name="admin", description="Care for the bot", default_permissions=discord.Permissions(manage_guild=True)
)


@admin.command(description="Show the variant")
async def variant(interaction: discord.Interaction) -> None:
    await interaction.response.send_message("svd-xt", ephemeral=True)


if __name__ == "__main__":
    PageBot(sys.argv[1]).run(sys.argv[2], log_level=logging.INFO)
