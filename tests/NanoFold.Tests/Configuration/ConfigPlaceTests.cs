using NanoFold.Engine.Configuration;
using NanoFold.Engine.Runs;

namespace NanoFold.Tests.Configuration;

/// <summary>A problem says where its key was set; a name of another tool leads to the key.</summary>
public class ConfigPlaceTests
{
    private const string Json =
        """
        {
          // The model.
          "model": {
            "layers": 2, "widht": 64,
            "pattern": [
              { "mixer": "attention" },
              { "mixer": { "kind": "sliding-window",
                           "window": -3 } }
            ],
          },
          /* several
             lines */
          "train": { "steps": "many",
            "lr": 0.1 }
        }
        """;

    [Test]
    public void ProblemsOfAFileNameItsLines()
        => Assert.That(Problems(tree => tree.AddJson(Json, "a.json")), Is.EqualTo(new[]
        {
            "a.json:4: model.widht: unknown key; did you mean model.width?",
            "a.json:8: model.pattern.1.mixer.window: expected an integer of at least 0 and at most 2147483647 or \"auto\", got -3",
            "a.json:13: train.steps: expected an integer of at least 1 and at most 2147483647, got \"many\"",
            "a.json:14: train.lr: unknown key; did you mean train.learningRate?",
        }));

    [Test]
    public void ASettingThatTookTheFilesPlaceHasNoLine()
    {
        const string File = "{\n\"train\": { \"steps\": 5, \"warmup\": 9 } }";
        Assert.That(Problems(tree => tree.AddJson(File, "a.json")), Is.EqualTo(new[] { "a.json:2: train.warmup: 9 is more than train.steps = 5" }));
        Assert.That(Problems(tree => tree.AddJson(File, "a.json").Set("train.warmup=8")), Is.EqualTo(new[] { "train.warmup: 8 is more than train.steps = 5" }));
    }

    [Test]
    public void ALaterFileHasThePlace()
        => Assert.That(
            Problems(tree => tree.AddJson("{ \"model\": { \"layers\": 0 } }", "a.json").AddJson("{ \"model\":\n{ \"layers\": -1 } }", "b.json")),
            Has.Exactly(1).StartsWith("b.json:2: model.layers: "));

    [TestCase("train.lr", "train.learningRate")]
    [TestCase("train.max_steps", "train.steps")]
    [TestCase("train.batch_size", "train.batch")]
    [TestCase("train.weight_decay", "train.weightDecay")]
    [TestCase("model.n_layer", "model.layers")]
    [TestCase("model.n_head", "model.heads")]
    [TestCase("model.hidden_size", "model.width")]
    [TestCase("model.dim", "model.width")]
    [TestCase("model.d_model", "model.width")]
    [TestCase("train.block_size", "model.context")]
    [TestCase("model.num_experts", "model.feedForward.experts")]
    [TestCase("generation.max_new_tokens", "generation.maxTokens")]
    public void NamesOfOtherToolsLeadToTheKey(string name, string key)
        => Assert.That(Configs.Problems($"{name}=1"), Is.EqualTo(new[] { $"{name}: unknown key; did you mean {key}?" }));

    [Test]
    public void EveryKeyWithOtherNamesExists()
        => Assert.That(SettingAliases.Keys.Except(Settings.Read().Keys.Select(setting => setting.Key)), Is.Empty);

    private static string[] Problems(Func<ConfigTree, ConfigTree> layers)
    {
        var e = Assert.Throws<ConfigException>(() => layers(new ConfigTree()).Build());
        return [.. e!.Problems.Select(problem => problem.ToString())];
    }
}
