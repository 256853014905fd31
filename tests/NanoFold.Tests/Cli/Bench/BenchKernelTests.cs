using System.Text.Json.Nodes;

namespace NanoFold.Tests.Cli.Bench;

public class BenchKernelTests
{
    private const string Case = "linear [3, 5] x [7, 5]";

    [Test]
    public void NamesAreListed()
    {
        CommandLine list = CommandLine.Run("bench", "kernel", "--list");
        Assert.That(list.Code, Is.Zero, list.Error);
        string[] names = list.Standard.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.That(names, Does.Contain("linear small up [2048, 384] x [1024, 384]").And.Not.Contain(Case));
        Assert.That(Names("*"), Is.EqualTo(names));
        Assert.That(Names("--tests"), Does.Contain(Case));
        Assert.That(Names("linear nano"), Has.Length.EqualTo(7).And.All.StartsWith("linear nano "));
        Assert.That(Names("linear nano up"), Has.Length.EqualTo(1));
        Assert.That(Names("r?s-norm * of heads*"), Has.Length.EqualTo(3));
        Assert.That(Names(Case), Is.EqualTo(new[] { Case }));

        static string[] Names(string name) => [.. CommandLine.Json("bench", "kernel", name, "--list")["names"]!.AsArray().Select(n => n!.GetValue<string>())];
    }

    [TestCase("linaer", "nanofold: bench kernel: no case is called 'linaer'; did you mean 'linear'? bench kernel --list lists them")]
    [TestCase("linear smal", "nanofold: bench kernel: no case is called 'linear smal'; did you mean 'linear small'? bench kernel --list lists them")]
    [TestCase("?", "nanofold: bench kernel: no case is called '?'; bench kernel --list lists them")]
    public void AnUnknownNameGetsASuggestion(string name, string line)
    {
        CommandLine run = CommandLine.Run("bench", "kernel", name);
        Assert.That((run.Code, run.Error), Is.EqualTo((2, line + "\n")));
    }

    [Test]
    public void WrongUsageIsOneLine()
    {
        Assert.That(Error(2, "bench", "kernel"), Is.EqualTo("nanofold: bench kernel: NAME is missing; bench kernel --list lists the cases"));
        Assert.That(Error(2, "bench", "kernel", Case, "--isa", "sse9"), Is.EqualTo("nanofold: --isa sse9: expected one of avx512, avx2, 128, scalar"));
        Assert.That(Error(1, "bench", "kernel", Case, "--against", "/no/such/file"), Does.StartWith("nanofold: cannot read /no/such/file: "));
        Assert.That(Error(1, "bench", "kernel", Case, "--save", "/no/such/file"), Is.EqualTo("nanofold: --save /no/such/file: there is no folder /no/such"));

        static string Error(int code, params string[] args)
        {
            CommandLine run = CommandLine.Run(args);
            Assert.That((run.Code, run.ErrorLines), Is.EqualTo((code, run.ErrorLines[..1])));
            return run.ErrorLines[0];
        }
    }

    [TestCase("avx2")]
    [TestCase("avx512")]
    [TestCase("128")]
    [TestCase("scalar")]
    public void ACaseIsCheckedOnAnyPath(string isa)
    {
        JsonNode[] cases = Cases(CommandLine.Json("bench", "kernel", Case, "--check", "--isa", isa, "--threads", "1"));
        Assert.That(cases.Select(c => (string?)c["phase"]), Is.EqualTo(new[] { "forward", "backward" }));
        Assert.That(cases.All(c => (double)c["error"]! <= (double)c["tolerance"]! && c["ms"] is null));
    }

    [Test]
    public void ACaseIsTimedSavedAndCompared()
    {
        using var folder = new TemporaryFolder();
        string file = folder["then.json"];
        JsonObject first = CommandLine.Json("bench", "kernel", Case, "--threads", "1", "--samples", "11", "--save", file);
        foreach (JsonNode line in Cases(first))
        {
            Assert.That((string?)line["name"], Is.EqualTo(Case));
            Assert.That((double)line["ms"]!, Is.InRange((double)line["low"]!, (double)line["high"]!));
            Assert.That((double)line["gflops"]! * (double)line["ms"]!, Is.EqualTo((string?)line["phase"] == "forward" ? 210e-6 : 420e-6).Within(1e-9));
            Assert.That((double)line["gbps"]! * (double)line["ms"]!, Is.EqualTo((string?)line["phase"] == "forward" ? 284e-6 : 708e-6).Within(1e-9));
            Assert.That((double)line["rooflineShare"]!, Is.Positive);
            Assert.That(line["against"], Is.Null);
        }

        JsonNode saved = JsonNode.Parse(File.ReadAllText(file))!;
        Assert.That(Cases(saved.AsObject()).All(c => c["samplesMs"]!.AsArray().Count == 11 && c["yardstickMs"]!.AsArray().Count == 11));

        JsonObject second = CommandLine.Json("bench", "kernel", "linear [*", "--tests", "--threads", "1", "--samples", "11", "--against", file);
        foreach (JsonNode line in Cases(second))
        {
            Assert.That(line["against"] is not null, Is.EqualTo((string?)line["name"] == Case));
        }

        JsonNode against = Cases(second).First(c => c["against"] is not null)["against"]!;
        Assert.That((double)against["low"]!, Is.LessThanOrEqualTo((double)against["high"]!));
        Assert.That((string?)against["verdict"], Is.AnyOf("faster", "slower", "no difference"));
        Assert.That((int)against["sessions"]!, Is.EqualTo(1));
    }

    [Test]
    public void SessionsOfABuildAreKeptTogether()
    {
        using var folder = new TemporaryFolder();
        string then = folder["then.json"], now = folder["now.json"];
        string[] command = ["bench", "kernel", Case, "--threads", "1", "--samples", "11", "--save"];
        _ = CommandLine.Json([.. command, then]);
        _ = CommandLine.Json([.. command, then]);
        _ = CommandLine.Json([.. command, now]);
        JsonObject compared = CommandLine.Json([.. command, now, "--against", then]);
        Assert.That(Cases(compared).Select(c => (int)c["against"]!["sessions"]!), Is.EqualTo(new[] { 2, 2 }));
        Assert.That(Sessions(now), Is.EqualTo(new[] { 0, 0, 1, 1 }));

        // Of a version that kept one session and named no build: read as such, and begun anew where it is written.
        JsonObject old = JsonNode.Parse(File.ReadAllText(then))!.AsObject();
        old.Remove("build");
        JsonNode[] first = [.. Cases(old).Where(c => (int)c["session"]! == 0).Select(c => c.DeepClone())];
        Array.ForEach(first, c => c.AsObject().Remove("session"));
        old["cases"] = new JsonArray(first);
        File.WriteAllText(then, old.ToJsonString());
        Assert.That(Cases(CommandLine.Json([.. command[..^1], "--against", then])).Select(c => (int)c["against"]!["sessions"]!), Is.EqualTo(new[] { 1, 1 }));
        CommandLine anew = CommandLine.Run([.. command, then]);
        Assert.That(anew.Error, Is.EqualTo($"nanofold: {then}: is of another build or machine; begun anew\n"));
        Assert.That(Sessions(then), Is.EqualTo(new[] { 0, 0 }));

        static int[] Sessions(string file) => [.. Cases(JsonNode.Parse(File.ReadAllText(file))!.AsObject()).Select(c => (int)c["session"]!)];
    }

    [Test]
    public void TimingsOfAnotherMachineAreRefused()
    {
        using var folder = new TemporaryFolder();
        string file = folder["then.json"];
        _ = CommandLine.Json("bench", "kernel", Case, "--threads", "1", "--samples", "11", "--save", file);
        string[] arguments = ["bench", "kernel", Case, "--threads", "2", "--samples", "11", "--against", file];

        CommandLine refused = CommandLine.Run(arguments);
        Assert.That(refused.Code, Is.EqualTo(1));
        Assert.That(refused.Error, Does.Match(@"^nanofold: .*: was taken on .*, 1 thread, and this is .*, 2 threads; --force compares all the same\n$"));
        Assert.That(Cases(CommandLine.Json([.. arguments, "--force"])).All(c => c["against"] is not null));
    }

    [TestCase("")]
    [TestCase("{")]
    [TestCase("null")]
    [TestCase("[]")]
    [TestCase("{}")]
    [TestCase("""{"isa":"a","threads":1,"processor":"b","cases":null}""")]
    [TestCase("""{"isa":"a","threads":1,"processor":"b","cases":[null]}""")]
    [TestCase("""{"isa":"a","threads":1,"processor":"b","cases":[{"name":"a","phase":"forward","samplesMs":[],"yardstickMs":[1]}]}""")]
    [TestCase("""{"isa":"a","threads":1,"processor":"b","cases":[{"name":"a","phase":"forward","samplesMs":[0],"yardstickMs":[1]}]}""")]
    [TestCase("""{"isa":"a","threads":1,"processor":"b","cases":[{"name":"a","phase":"forward","samplesMs":[1]}]}""")]
    [TestCase("""{"isa":"a","threads":"one","processor":"b","cases":[]}""")]
    public void ADamagedFileIsOneLine(string text)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["bad.json"], text);
        CommandLine run = CommandLine.Run("bench", "kernel", Case, "--against", folder["bad.json"]);
        Assert.That((run.Code, run.ErrorLines.Length), Is.EqualTo((1, 1)), run.Error);
        Assert.That(run.Error, Does.StartWith($"nanofold: {folder["bad.json"]}: is no kernel baseline"));
    }

    [Test]
    public void TheMachineCodeIsThatOfTheKernel()
    {
        JsonObject result = CommandLine.Json("bench", "kernel", "linear [65, 64] x [31, 64]", "--disassemble", "--isa", "avx2", "--method", "*Tile6x2*");
        JsonNode method = result["methods"]!.AsArray()[0]!;
        Assert.That((string?)method["name"], Does.Contain("Tile6x2"));
        Assert.That(method["loops"]!.AsArray().Count, Is.Positive);

        CommandLine none = CommandLine.Run("bench", "kernel", Case, "--disassemble", "--method", "nothing");
        Assert.That((none.Code, none.Error), Is.EqualTo((1, "nanofold: --method nothing: no method with a loop that calculates has such a name\n")));
    }

    [Test]
    public void TheHelpHasTheKeys()
    {
        CommandLine help = CommandLine.Run("bench", "kernel", "--help");
        Assert.That(help.Standard, Does.Contain("rooflineShare").And.Contain("--against"));
    }

    private static JsonNode[] Cases(JsonObject result) => [.. result["cases"]!.AsArray().Select(c => c!)];
}
