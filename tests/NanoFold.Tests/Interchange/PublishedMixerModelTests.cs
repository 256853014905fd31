using NanoFold.Engine;
using NanoFold.Engine.Interchange;
using NanoFold.Tests.Suites;
using NanoFold.Tests.Suites.Published;

namespace NanoFold.Tests.Interchange;

/// <summary>Every published model with another mixer than attention: what transformers computes of it, and what is computed here.</summary>
[Category("Published")]
public class PublishedMixerModelTests : EngineTests
{
    private const string Folder = "peers/mixer-models";

    private static IEnumerable<string> Cases => SharedData.Cases(Folder);

    [TestCaseSource(nameof(Cases))]
    public void TensorsAndConfigurationGoBackAsTheyCame(string name) => PublishedRoundTrip.Verify(Path.Combine(SharedData.Path(Folder), name));

    [TestCaseSource(nameof(Cases))]
    public void NumbersAreThoseOfTransformers(string name)
    {
        string folder = Path.Combine(SharedData.Path(Folder), name);
        using var model = new PublishedModel(folder, Backend(threads: 2));
        var hidden = new Collector("*hook_resid_*") { IsOptional = true };
        var last = new Collector("ln_final.hook_normalized");
        double logits = model.LogitsOff(hidden, last);
        hidden.Read.AddRange(last.Read);
        double loss = model.TrainedOff().Loss;
        int[] greedy = [.. SharedData.Reals(model.Expected, "greedy").Select(token => (int)token)];
        var agreement = new CaseAgreement("mixer-models", name);
        Assert.Multiple(() =>
        {
            agreement.Off(logits, 3e-5, "logits");
            agreement.Off(model.HiddenOff(hidden), 5e-5, "hidden states");
            agreement.Off(loss, 1e-5, "loss");
            agreement.Off(model.GradientsOffRelatively, 1e-4, "gradients");
            Assert.That(model.Continued(greedy.Length / model.Shape[0]), Is.EqualTo(greedy), "greedy text of all rows beside each other");
        });
        agreement.Record();
    }
}
