using System.IO.Compression;
using System.Text.Json;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Runs;

namespace NanoFold.Tests.Outside;

/// <summary>
/// The program of <c>tests/NanoFold.Outside</c>, built against freshly packed packages: its mixer, feed-forward, op, kernel, measure and editor train from a
/// configuration, and the checkpoint is loaded again.
/// </summary>
[NonParallelizable]
public class OutsideTests
{
    [Test]
    public void ItTrainsFromAConfigurationWithItsOwnParts()
    {
        OutsideProject project = OutsideProject.Done();
        JsonElement trained = project.Json("train");
        Assert.That(trained.GetProperty("steps").GetInt32(), Is.EqualTo(60));
        Assert.That(trained.GetProperty("validationLoss").GetDouble(), Is.InRange(0.05, 2), "of ln 256 = 5.5 at first");

        using JsonDocument config = JsonDocument.Parse(File.ReadAllText(Path.Combine(project["run"], RunConfig.FileName)));
        JsonElement model = config.RootElement.GetProperty("model"), first = model.GetProperty("pattern")[0];
        JsonElement mixer = first.GetProperty("mixer");
        Assert.That((mixer.GetProperty("kind").GetString(), mixer.GetProperty("slowest").GetDouble()), Is.EqualTo(("ema", 0.9)));
        Assert.That(first.GetProperty("feedForward").GetProperty("kind").GetString(), Is.EqualTo("centered"));
        Assert.That(model.GetProperty("edits")[0].GetProperty("kind").GetString(), Is.EqualTo("dampen"));

        double[] crests =
        [
            .. JsonLinesLog.Read(Path.Combine(project["run"], RunFolder.GeometryFile))
            .Where(line => line.GetProperty("measure").GetString() == "crest")
            .Select(line => line.GetProperty("figures").GetProperty("crest").GetProperty("value").GetDouble()),
        ];
        Assert.That(crests, Is.Not.Empty.And.All.InRange(1, 100));
    }

    [Test]
    public void ItsCheckpointIsEvaluatedAndWritesText()
    {
        OutsideProject project = OutsideProject.Done();
        Assert.That(project.Json("eval").GetProperty("loss").GetDouble(), Is.EqualTo(project.Json("train").GetProperty("fullValidationLoss").GetDouble()).Within(1e-9));
        JsonElement sample = project.Json("generate").GetProperty("samples")[0];
        Assert.That(sample.GetProperty("tokenIds").GetArrayLength(), Is.EqualTo(12));
        Assert.That(sample.GetProperty("text").GetString(), Is.Not.Empty);
    }

    [Test]
    public void ItsTaskTrainsAndIsScored()
    {
        OutsideProject project = OutsideProject.Done();
        double loss = project.Json("echo-eval").GetProperty("loss").GetDouble();
        Assert.That(loss, Is.LessThan(Math.Log(8)), "of one who guesses");
        Assert.That(project.Json("echo-train").GetProperty("fullValidationLoss").GetDouble(), Is.EqualTo(loss).Within(1e-9));
        Assert.That(project.Json("echo-eval").GetProperty("accuracy").GetDouble(), Is.GreaterThan(0.5), "of 1/8 by guessing");
    }

    [Test]
    public void ItsOptimizerRemembersWhatItSays()
    {
        OutsideProject project = OutsideProject.Done();
        using JsonDocument config = JsonDocument.Parse(File.ReadAllText(Path.Combine(project["run"], RunConfig.FileName)));
        Assert.That(config.RootElement.GetProperty("train").GetProperty("optimizer").GetProperty("kind").GetString(), Is.EqualTo("soft-sign"));
        string newest = Directory.GetDirectories(Path.Combine(project["run"], "checkpoints")).Order(StringComparer.Ordinal).Last();
        using SafeTensorsFile moments = SafeTensorsFile.Open(Path.Combine(newest, OptimizerFile.Name));
        Assert.That(moments.Tensors.Select(tensor => tensor.Name), Is.EqualTo(new[] { "average" }));
    }

    [Test]
    public void TheGradientOfItsOpIsRightByItsOwnKernelToo()
    {
        OutsideProject project = OutsideProject.Done();
        Assert.That(File.ReadAllLines(project["check"]), Has.Length.EqualTo(project.HasGpu ? 3 : 2).And.All.Match(@"^center, (kernel|plain ops|gpu kernel): .* differs by (0\.0e+0|\d\.\de-\d+)$"));
    }

    [Test]
    public void ItsSettingsAreDescribedAndItsKindsAreSuggested()
    {
        OutsideProject project = OutsideProject.Done();
        JsonElement setting = project.Json("settings").GetProperty("settings")[0];
        Assert.That(setting.GetProperty("kinds")[0].GetString(), Is.EqualTo("ema"));
        Assert.That(setting.GetProperty("meaning").GetString(), Is.EqualTo("What a channel keeps from one token to the next at most."));
        (int code, _, string error) = project.Run("program", "train", "--set", "model.mixer=eme");
        Assert.That(code, Is.EqualTo(2), error);
        Assert.That(error, Does.StartWith("nanofold: model.mixer: unknown kind \"eme\", did you mean \"ema\"?"));
        Assert.That(project.Run("program", "completion", "bash").Output, Does.Contain("soft-sign").And.Contain("echo"));
    }

    [Test]
    public void PackagesHaveAPageALicenseAndTheirDocumentation()
    {
        OutsideProject project = OutsideProject.Done();
        string[] gpu = project.HasGpu ? ["NanoFold.Kernels.Gpu"] : [];
        Dictionary<string, string> packages = Directory.GetFiles(project["packages"], "*.nupkg").ToDictionary(file => Path.GetFileName(file).Split(".0.1.0")[0]);
        Assert.That(packages.Keys, Is.EquivalentTo(gpu.Concat(["NanoFold.Kernels", "NanoFold.Engine", "NanoFold.Reports", "NanoFold.Server", "NanoFold.Cli", "NanoFold.Tool"])));
        foreach ((string name, string file) in packages)
        {
            using ZipArchive package = ZipFile.OpenRead(file);
            using var reader = new StreamReader(package.GetEntry($"{name}.nuspec")!.Open());
            string text = reader.ReadToEnd();
            Assert.That(text, Does.Contain("<license type=\"expression\">MIT</license>").And.Contain("<readme>README.md</readme>").And.Contain("<description>"), name);
            string documented = name is "NanoFold.Cli" ? "lib/net10.0/nanofold.xml" : name is "NanoFold.Tool" ? "tools/net10.0/any/NanoFold.Engine.xml" : $"lib/net10.0/{name}.xml";
            Assert.That(package.Entries.Select(entry => entry.FullName), Is.SupersetOf(new[] { "README.md", documented }), name);
        }
    }

    /// <summary>The tool is NanoFold without these parts, and says so of their checkpoint.</summary>
    [Test]
    public void TheToolIsInstalledAndRuns()
    {
        OutsideProject project = OutsideProject.Done();
        Assert.That(project.Json("tool-settings").GetProperty("settings")[0].GetProperty("meaning").GetString(), Is.EqualTo("C, the width of the residual stream."));
        (int code, _, string error) = project.Run("tool", "generate", "--model", project["run"], "--prompt", "no.");
        Assert.That(code, Is.Not.Zero);
        Assert.That(error, Does.Contain("has kinds that this program does not have: \"ema\"").And.Not.Contain("a fault of this program"));
    }

    [OneTimeTearDown]
    public void Delete() => OutsideProject.Delete();
}
