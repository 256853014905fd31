using NanoFold.Engine;
using NanoFold.Engine.Interchange;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Interchange;

/// <summary>Every model of the published reference cases: what transformers computes of it, and what is computed here.</summary>
public class PublishedModelTests : EngineTests
{
    private const string Folder = "peers/models";

    /// <summary>What is refused, and the words that say why. A case that is in neither place fails.</summary>
    private static readonly Dictionary<string, string> s_refused = [];

    private static IEnumerable<string> Cases => SharedData.Cases(Folder);

    /// <summary>What is read of a folder gives, written again, the same tensors under the same names, and a configuration that means the same model.</summary>
    [TestCaseSource(nameof(Cases))]
    public void TensorsAndConfigurationGoBackAsTheyCame(string name)
    {
        string folder = Path.Combine(SharedData.Path(Folder), name);
        if (s_refused.ContainsKey(name))
        {
            return;
        }

        PublishedRoundTrip.Verify(folder);
    }

    [TestCaseSource(nameof(Cases))]
    public void NumbersAreThoseOfTransformers(string name)
    {
        string folder = Path.Combine(SharedData.Path(Folder), name);
        if (s_refused.TryGetValue(name, out string? reason))
        {
            Assert.That(() => ForeignModel.TryOpen(folder), Throws.InstanceOf<UserException>().With.Message.Contains(reason));
            return;
        }

        using var model = new PublishedModel(folder, Backend(threads: 2));
        var hidden = new Collector("*hook_resid_*") { IsOptional = true };
        var last = new Collector("ln_final.hook_normalized");
        double logits = model.LogitsOff(hidden, last);
        hidden.Read.AddRange(last.Read);
        (double loss, double gradients, double norms) = model.TrainedOff();
        int[] greedy = [.. SharedData.Reals(model.Expected, "greedy").Select(token => (int)token)];
        // Where the text grows beyond the original length, that library reads it anew in this case, without a causal mask: a fault of its own.
        (int[] tokens, double decoded) = model.Greedy("greedy_logits", name == "phi3-longrope" ? greedy[..17] : greedy);
        bool depends = model.Expected.Find("greedy_logits_nocache") is not null;
        Assert.Multiple(() =>
        {
            Assert.That(logits, Is.LessThan(1e-4), "logits");
            Assert.That(model.HiddenOff(hidden), Is.LessThan(1e-4), "hidden states");
            Assert.That(loss, Is.LessThan(1e-5), "loss");
            Assert.That(gradients, Is.LessThan(1e-5), "gradients");
            Assert.That(norms, Is.LessThan(1e-4), "norms of gradients");
            Assert.That(decoded, Is.LessThan(1e-4), "logits through the cache");
            Assert.That(tokens, Is.EqualTo(greedy[8..(8 + tokens.Length)]), "greedy text");
            Assert.That(depends ? model.RecomputedOff("greedy_logits_nocache") : 0, Is.LessThan(1e-4), "logits of the whole text again and again");
            Assert.That(depends ? model.LogitsOff("tokens_short", "logits_short") : 0, Is.LessThan(1e-4), "logits of a short text");
        });
        TestContext.Out.WriteLine($"{name}: logits {logits:0.0e0}, loss {loss:0.0e0}, gradients {gradients:0.0e0}, norms {norms:0.0e0}, decoded {decoded:0.0e0}");
    }
}
