using NanoFold.Engine;
using NanoFold.Engine.Interchange;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Interchange;

/// <summary>Every published model with another mixer than attention: what transformers computes of it, and what is computed here.</summary>
public class PublishedMixerModelTests : EngineTests
{
    private const string Folder = "peers/mixer-models";

    /// <summary>What is refused, by the type that is named. A case that is in neither place fails.</summary>
    private static readonly Dictionary<string, string> s_refused = new()
    {
        ["lfm2"] = "lfm2",
        ["minimax"] = "minimax",
        ["recurrent_gemma"] = "recurrent_gemma",
        ["rwkv"] = "rwkv",
        ["xlstm"] = "xlstm",
    };

    private static IEnumerable<string> Cases => SharedData.Cases(Folder);

    [TestCaseSource(nameof(Cases))]
    public void TensorsAndConfigurationGoBackAsTheyCame(string name)
    {
        if (!s_refused.ContainsKey(name))
        {
            PublishedRoundTrip.Verify(Path.Combine(SharedData.Path(Folder), name));
        }
    }

    [TestCaseSource(nameof(Cases))]
    public void NumbersAreThoseOfTransformers(string name)
    {
        string folder = Path.Combine(SharedData.Path(Folder), name);
        if (s_refused.TryGetValue(name, out string? type))
        {
            Assert.That(() => ForeignModel.TryOpen(folder), Throws.InstanceOf<UserException>().With.Message.Contains($"models of type '{type}'"));
            return;
        }

        using var model = new PublishedModel(folder, Backend(threads: 2));
        var hidden = new Collector("*hook_resid_*") { IsOptional = true };
        var last = new Collector("ln_final.hook_normalized");
        double logits = model.LogitsOff(hidden, last);
        hidden.Read.AddRange(last.Read);
        double loss = model.TrainedOff().Loss;
        int[] greedy = [.. SharedData.Reals(model.Expected, "greedy").Select(token => (int)token)];
        Assert.Multiple(() =>
        {
            Assert.That(logits, Is.LessThan(3e-5), "logits");
            Assert.That(model.HiddenOff(hidden), Is.LessThan(5e-5), "hidden states");
            Assert.That(loss, Is.LessThan(1e-5), "loss");
            Assert.That(model.GradientsOffRelatively, Is.LessThan(1e-4), "gradients, of the largest element");
            Assert.That(model.Continued(greedy.Length / model.Shape[0]), Is.EqualTo(greedy), "greedy text of all rows beside each other");
        });
        TestContext.Out.WriteLine($"{name}: logits {logits:0.0e0}, loss {loss:0.0e0}, gradients {model.GradientsOffRelatively:0.0e0}");
    }
}
