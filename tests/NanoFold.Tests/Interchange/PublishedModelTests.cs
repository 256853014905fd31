using NanoFold.Engine;
using NanoFold.Engine.Interchange;
using NanoFold.Tests.Suites;
using NanoFold.Tests.Suites.Published;

namespace NanoFold.Tests.Interchange;

/// <summary>Every model of the published reference cases: what transformers computes of it, and what is computed here.</summary>
[Category("Published")]
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
            CaseAgreement.Refused("models", name, reason);
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
        var agreement = new CaseAgreement("models", name);
        Assert.Multiple(() =>
        {
            agreement.Off(logits, 1e-4, "logits");
            agreement.Off(model.HiddenOff(hidden), 1e-4, "hidden states");
            agreement.Off(loss, 1e-5, "loss");
            agreement.Off(gradients, 1e-5, "gradients");
            agreement.Off(norms, 1e-4, "norms of gradients");
            agreement.Off(decoded, 1e-4, "through the cache");
            Assert.That(tokens, Is.EqualTo(greedy[8..(8 + tokens.Length)]), "greedy text");
            Assert.That(depends ? model.RecomputedOff("greedy_logits_nocache") : 0, Is.LessThan(1e-4), "logits of the whole text again and again");
            Assert.That(depends ? model.LogitsOff("tokens_short", "logits_short") : 0, Is.LessThan(1e-4), "logits of a short text");
        });
        agreement.Record();
    }
}
