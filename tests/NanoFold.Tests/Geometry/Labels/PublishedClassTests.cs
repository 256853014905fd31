using System.Text.Json;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Geometry.Labels;
using NanoFold.Tests.Suites.Published;

namespace NanoFold.Tests.Geometry.Labels;

/// <summary>Classes of the stream of a small trained model, by the ten most frequent next tokens, computed in NumPy.</summary>
[Category("Published")]
public sealed class PublishedClassTests
{
    private const string Folder = "peers/geometry";
    private const int Windows = 32, Time = 64, Width = 128;

    [Test]
    public void ClassesOfATrainedModelHaveThePublishedFigures()
    {
        var agreement = new CaseAgreement("geometry", "classes");
        string folder = SharedData.Path(Folder);
        JsonElement expected = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "expected.json"))).RootElement.GetProperty("classes");
        using SafeTensorsFile file = SafeTensorsFile.Open(Path.Combine(folder, "activations.safetensors"));
        HashSet<long> classes = [.. expected.GetProperty("topNextTokens").EnumerateArray().Select(token => token.GetInt64())];
        var targets = new long[Windows * Time];
        var values = new float[Windows * Time * Width];
        file.Read("targets", targets.AsSpan());
        int[] labels = [.. targets.Select((target, i) => i % Time > 0 && classes.Contains(target) ? (int)target : -1)];
        foreach (JsonProperty point in expected.GetProperty("figures").EnumerateObject())
        {
            file.Read(point.Name, values.AsSpan());
            ClassSeparation found = ClassSeparation.Measure(values, Width, ClassSample.Of(labels));
            Assert.That(found.Points, Is.EqualTo(point.Value.GetProperty("n").GetInt32()));
            agreement.NearRelatively(found.Nc1, point.Value.GetProperty("nc1").GetDouble(), 1e-9, "NC1", point.Name);
            agreement.NearRelatively(found.Cdnv, point.Value.GetProperty("cdnv").GetDouble(), 1e-9, "CDNV", point.Name);
            Assert.That(found.NearestMean, Is.EqualTo(point.Value.GetProperty("nearestMean").GetDouble()).Within(1e-12), point.Name);
        }

        agreement.Record();
    }
}
