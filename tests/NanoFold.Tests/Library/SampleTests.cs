using System.Globalization;
using System.Text.RegularExpressions;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Library;

/// <summary>The program that README shows.</summary>
[NonParallelizable]
public class SampleTests
{
    [Test]
    public void TrainsReadsATapAndWrites()
    {
        using var rig = new TrainRig();
        using var log = new StringWriter();
        string text = Sample.Run(rig.TextPath, "no. 0", log);

        MatchCollection lines = Regex.Matches(log.ToString(), @"step (\d+): loss (\d+\.\d\d), residual norm (\d+\.\d)\r?\n");
        Assert.That(lines.Select(line => line.Groups[1].Value), Is.EqualTo(new[] { "0", "20", "40", "60", "80" }));
        double[] losses = [.. lines.Select(line => double.Parse(line.Groups[2].Value, CultureInfo.InvariantCulture))];
        Assert.That(losses[0], Is.EqualTo(Math.Log(256)).Within(0.2));
        Assert.That(losses[^1], Is.LessThan(2));
        Assert.That(lines.Select(line => line.Groups[3].Value).Distinct().Count(), Is.GreaterThan(1), "the tap reads the same at every step");
        Assert.That(text, Has.Length.InRange(1, 60));
    }

    [Test]
    public void ReadmeShowsIt()
    {
        string readme = File.ReadAllText(RepositoryRoot.File("README.md"));
        string shown = Regex.Match(readme, @"```csharp\r?\n(.*?)```", RegexOptions.Singleline).Groups[1].Value;
        string[] lines = [.. Lines(shown)];

        Assert.That(lines, Has.Length.GreaterThan(20));
        Assert.That(lines, Is.SubsetOf(Lines(File.ReadAllText(RepositoryRoot.File("tests/NanoFold.Tests/Library/Sample.cs")))));
    }

    private static IEnumerable<string> Lines(string text) => text.Split('\n').Select(line => line.Trim()).Where(line => line.Length > 0);
}
