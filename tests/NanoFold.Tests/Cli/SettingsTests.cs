using System.Text.Json.Nodes;
using NanoFold.Cli.Commands;
using NanoFold.Engine.Runs;

namespace NanoFold.Tests.Cli;

/// <summary>The keys of a configuration, in the terminal, as JSON and as a page.</summary>
public class SettingsTests
{
    private static readonly Settings s_settings = Settings.Read();

    [Test]
    public void EveryKeyAndEveryChoiceHasAMeaning()
    {
        string[] missing =
        [
            .. s_settings.Keys.Where(setting => setting.Meaning.Length == 0).Select(setting => setting.Key),
            .. s_settings.Keys.SelectMany(setting => setting.Choices.Where(choice => choice.Meaning.Length == 0).Select(choice => $"{setting.Key}={choice.Name}")),
            .. s_settings.Sections.Where(section => section.Meaning.Length == 0).Select(section => section.Name),
        ];
        Assert.That(missing, Is.Empty, "the documentation of these properties and values has no summary");
    }

    [Test]
    public void ThePageIsWhatTheSourcesSay()
    {
        string page = RepositoryRoot.File("docs/settings.md");
        Assert.That(
            SettingsPage.Of(s_settings, s_settings.Keys) == File.ReadAllText(page).ReplaceLineEndings("\n"),
            $"docs/settings.md is not what the configuration records say; make it again: {SettingsPage.Command}");
    }

    [Test]
    public void KeysOfEveryVariantAreThere()
    {
        Assert.That(Find("model.mixer.granularity").Kinds, Is.EqualTo(new[] { "gated-attention" }));
        Assert.That(Find("model.feedForward.experts").Default, Is.EqualTo("8"));
        Assert.That(Find("model.feedForward.hidden").Kinds, Is.Empty, "every kind has it");
        Assert.That(Find("model.pattern.N.repeat").Type, Is.EqualTo("an integer of at least 1 and at most 4096"));
        Assert.That(Find("tokenizer.vocab").Kinds, Is.EqualTo(new[] { "bpe" }));
        Assert.That(s_settings.Keys.Select(setting => (setting.Key, string.Join(",", setting.Kinds))), Is.Unique);
    }

    [Test]
    public void DefaultsShowWhatTheyBecomeInPresetNano()
    {
        Assert.That((Find("train.learningRate").Default, Find("train.learningRate").Resolved), Is.EqualTo(("null", "0.01")));
        Assert.That((Find("model.hidden").Default, Find("model.hidden").Resolved), Is.EqualTo(("auto", "344")));
        Assert.That((Find("train.steps").Default, Find("train.steps").Resolved), Is.EqualTo(("2000", (string?)null)));
        Assert.That(Find("model.norm").Choices[0].Name, Is.EqualTo("rms"));
    }

    [TestCase("train.*Rate", "train.optimizer.matrixLearningRate", "train.learningRate", "train.finalLearningRate")]
    [TestCase("tokenizer", "tokenizer", "tokenizer.vocab", "tokenizer.path")]
    [TestCase("model.width", "model.width")]
    [TestCase("train.matrixWeightDecay", "train.optimizer.matrixWeightDecay")]
    public void AGlobChoosesKeys(string glob, params string[] keys)
    {
        JsonArray found = CommandLine.Json("settings", glob)["settings"]!.AsArray();
        Assert.That(found.Select(setting => (string)setting!["key"]!), Is.EqualTo(keys));
    }

    [Test]
    public void LinesFitATerminal()
    {
        string[] lines = CommandLine.Run("settings").Standard.Split('\n');
        Assert.That(lines.Max(line => line.Length), Is.InRange(60, 80));
        Assert.That(lines, Does.Contain("model.kvHeads = auto -> 4"));
    }

    [Test]
    public void AnUnknownKeyIsWrongUsage()
    {
        CommandLine result = CommandLine.Run("settings", "model.with");
        Assert.That((result.Code, result.Standard), Is.EqualTo((2, "")));
        Assert.That(result.Error, Does.Contain("no key is like 'model.with'"));
    }

    private static Setting Find(string key) => s_settings.Keys.Single(setting => setting.Key == key);
}
