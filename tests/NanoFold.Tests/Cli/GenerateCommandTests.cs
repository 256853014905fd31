using System.Text;
using System.Text.Json.Nodes;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Cli;

/// <summary>The options of <c>generate</c>: where prompts come from, seeds, what is checked before anything is written.</summary>
[NonParallelizable]
public class GenerateCommandTests
{
    private TrainRig _rig = null!;

    [OneTimeSetUp]
    public void SetUp()
    {
        _rig = new TrainRig();
        _rig.Train("run", "train.steps=2");
    }

    [OneTimeTearDown]
    public void TearDown() => _rig.Dispose();

    [Test]
    public void ASeedThatWasDrawnIsSaidAndGivesTheSameAgain()
    {
        CommandLine drawn = Generate("--json");
        Assert.That(drawn.Code, Is.Zero, drawn.Error);
        JsonObject result = JsonNode.Parse(drawn.Standard)!.AsObject();
        Assert.That(drawn.ErrorLines[0], Is.EqualTo($"nanofold: --seed {result["seed"]}"));

        JsonObject again = Json("--seed", $"{result["seed"]}");
        Assert.That(again["samples"]!.ToJsonString(), Is.EqualTo(result["samples"]!.ToJsonString()));
        Assert.That(Generate("--seed", "5").Error, Is.Empty, "a seed that was given is known");
    }

    [Test]
    public void APromptsTextIsTheSameWhateverStandsBesideIt()
    {
        JsonArray samples = Json("--seed", "5", "--prompt", "a", "--prompt", "b", "--prompt", "a")["samples"]!.AsArray();
        Assert.That(samples.Select(s => (int)s!["number"]!), Is.EqualTo(new[] { 0, 0, 1 }));
        Assert.That((string?)samples[1]!["text"], Is.EqualTo((string?)Json("--seed", "5", "--prompt", "b")["samples"]![0]!["text"]));

        string all = Generate("--seed", "5", "--prompt", "a", "--prompt", "b", "--prompt", "a").Standard;
        Assert.That(all, Is.EqualTo(string.Concat(samples.Select(s => $"{s!["prompt"]}{s["text"]}\n---\n"))));
    }

    [Test]
    public void SamplesOfAPromptAreThoseOfEqualPrompts()
    {
        JsonObject several = Json("--seed", "5", "--prompt", "a", "--prompt", "b", "--samples", "2");
        JsonObject equal = Json("--seed", "5", "--prompt", "a", "--prompt", "a", "--prompt", "b", "--prompt", "b");
        Assert.That(several["samples"]!.ToJsonString(), Is.EqualTo(equal["samples"]!.ToJsonString()));
        Assert.That(Generate("--samples", "0").ErrorLines[0], Is.EqualTo("nanofold: --samples: expected an integer from 1 to 10000, got '0'"));
    }

    [Test]
    public void PromptsComeFromFilesAsTheyAre()
    {
        File.WriteAllText(_rig["utf8"], "a\\n é\nb\n", new UTF8Encoding(encoderShouldEmitUTF8Identifier: true));
        File.WriteAllText(_rig["utf16"], "é\r\n", Encoding.Unicode);
        JsonArray samples = Json("-e", "--prompt-file", _rig["utf8"], "--prompt", @"x\ty", "--prompt-file", _rig["utf16"])["samples"]!.AsArray();
        Assert.That(samples.Select(s => (string)s!["prompt"]!), Is.EqualTo(new[] { "x\ty", "a\\n é\nb", "é" }));
        Assert.That((string?)Json("--prompt", @"x\ty")["samples"]![0]!["prompt"], Is.EqualTo(@"x\ty"), "escapes are understood where asked for");
    }

    [Test]
    public void StopsMayHoldEscapes()
    {
        string text = (string)Json("--seed", "1", "--prompt", "no")["samples"]![0]!["text"]!;
        char stop = text.First(char.IsAscii);
        string escaped = $@"\x{(int)stop:x2}";

        JsonNode sample = Json("--seed", "1", "--prompt", "no", "-e", "--stop", escaped)["samples"]![0]!;
        Assert.That(((string?)sample["text"], (string?)sample["finish"]), Is.EqualTo((text[..text.IndexOf(stop)], "stop")));
        Assert.That((string?)Json("--seed", "1", "--prompt", "no", "--stop", escaped)["samples"]![0]!["text"], Is.EqualTo(text));
    }

    [TestCase("--temperature -1", "--temperature: expected a number of at least 0, got '-1'")]
    [TestCase("--temperature warm", "--temperature: expected a number of at least 0, got 'warm'")]
    [TestCase("--top-p 0", "--top-p: expected a number of more than 0 and at most 1, got '0'")]
    [TestCase("--min-p 2", "--min-p: expected a number of at least 0 and at most 1, got '2'")]
    [TestCase("--repetition-penalty nan", "--repetition-penalty: expected a number of more than 0, got 'nan'")]
    [TestCase("--keep 8", "generation.keep: 8 leaves no room in a context of 8; use at most 7")]
    [TestCase(@"-e --stop \q", @"--stop: '\q' is no escape")]
    [TestCase("--prompt - --prompt-file -", "standard input can be read once")]
    public void OptionsAreCheckedBeforeAnythingIsWritten(string options, string problem)
    {
        CommandLine run = Generate(["--prompt", "shown", .. options.Split(' ')]);
        Assert.That((run.Code, run.Standard), Is.EqualTo((2, "")));
        Assert.That(run.Error, Does.StartWith($"nanofold: {problem}"));
    }

    [Test]
    public void AFileThatIsNoTextIsNamed()
    {
        File.WriteAllBytes(_rig["latin"], [0x61, 0xE9, 0x62]);
        CommandLine run = Generate("--prompt-file", _rig["latin"]);
        Assert.That((run.Code, run.Standard, run.Error), Is.EqualTo((1, "", $"nanofold: {_rig["latin"]}: is not UTF-8 text (at byte 1); convert it first\n")));
        Assert.That(Generate("--prompt-file", _rig["run"]).Error, Is.EqualTo($"nanofold: --prompt-file {_rig["run"]}: is a folder; name a file\n"));
        Assert.That(Generate("--prompt-file", "").Error, Is.EqualTo("nanofold: --prompt-file: is empty; expected FILE\n"));
        Assert.That(Generate("--prompt-file", _rig["none"]).Error, Does.StartWith($"nanofold: cannot read {_rig["none"]}: "));
    }

    private CommandLine Generate(params string[] more) => CommandLine.Run(["generate", "--model", _rig["run"], "--max-tokens", "12", "--threads", "1", .. more]);

    private JsonObject Json(params string[] more) => CommandLine.Json(["generate", "--model", _rig["run"], "--max-tokens", "12", "--threads", "1", .. more]);
}
