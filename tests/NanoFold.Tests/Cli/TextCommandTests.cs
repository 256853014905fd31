using System.IO.Compression;
using System.Text;
using System.Text.Json.Nodes;
using NanoFold.Cli;

namespace NanoFold.Tests.Cli;

/// <summary>The verbs tokenizer, data and devices.</summary>
[NonParallelizable]
public class TextCommandTests
{
    private const string CacheVariable = "NANOFOLD_CACHE";
    private string? _cacheBefore;
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void SetUp()
    {
        _folder = new TemporaryFolder();
        _cacheBefore = Environment.GetEnvironmentVariable(CacheVariable);
        Environment.SetEnvironmentVariable(CacheVariable, _folder["cache"]);
        File.WriteAllText(_folder["text.txt"], string.Concat(Enumerable.Range(0, 40).Select(i => $"the cat no. {i} sat on the mat.\n")));
    }

    [TearDown]
    public void TearDown()
    {
        Environment.SetEnvironmentVariable(CacheVariable, _cacheBefore);
        _folder.Dispose();
    }

    [Test]
    public void ATokenizerIsTrainedAndUsed()
    {
        JsonObject trained = CommandLine.Json("tokenizer", "train", "--data", _folder["text.txt"], "--vocab", "270", "--marks", "--out", _folder.Path);
        Assert.That(trained["vocab"]!.GetValue<int>(), Is.EqualTo(270));
        Assert.That(trained["merges"]!.GetValue<int>(), Is.EqualTo(270 - 258));
        Assert.That(trained["path"]!.GetValue<string>(), Is.EqualTo(_folder["tokenizer.json"]));

        JsonObject encoded = CommandLine.Json("tokenizer", "encode", "--model", _folder["tokenizer.json"], "the mat über");
        int[] ids = [.. encoded["tokenIds"]!.AsArray().Select(id => id!.GetValue<int>())];
        Assert.That(encoded["count"]!.GetValue<int>(), Is.EqualTo(ids.Length).And.LessThan(13));
        Assert.That(encoded["bytes"]!.GetValue<int>(), Is.EqualTo(13));
        Assert.That(encoded["tokens"]!.AsArray(), Has.Count.EqualTo(ids.Length));

        string joined = string.Join(',', ids);
        Assert.That(CommandLine.Json("tokenizer", "decode", "--model", _folder.Path, joined)["text"]!.GetValue<string>(), Is.EqualTo("the mat über"));
    }

    /// <summary>Without <c>--out</c> it goes into the current folder, where a tokenizer of something else may lie.</summary>
    [Test]
    public void ATokenizerThatIsThereIsReplacedOnlyInAFolderThatWasNamed()
    {
        string before = Directory.GetCurrentDirectory();
        try
        {
            Directory.SetCurrentDirectory(_folder.Path);
            string[] train = ["tokenizer", "train", "--data", "text.txt", "--vocab"];
            Assert.That(CommandLine.Run([.. train, "270"]).Code, Is.Zero);
            byte[] first = File.ReadAllBytes(_folder["tokenizer.json"]);
            CommandLine again = CommandLine.Run([.. train, "280"]);
            Assert.That((again.Code, again.Error), Is.EqualTo((1, "nanofold: tokenizer.json: is there already; name a folder with --out, or --out . to replace it\n")));
            Assert.That(File.ReadAllBytes(_folder["tokenizer.json"]), Is.EqualTo(first));
            Assert.That(CommandLine.Run([.. train, "280", "--out", "."]).Code, Is.Zero);
            Assert.That(File.ReadAllBytes(_folder["tokenizer.json"]), Is.Not.EqualTo(first));
        }
        finally
        {
            Directory.SetCurrentDirectory(before);
        }
    }

    [Test]
    public void DecodedTextThatIsNotForATerminalIsTheTextAndNothingElse()
    {
        string text = "one\r\n\r\ntwo\t three\n";
        string ids = string.Join(' ', CommandLine.Json("tokenizer", "encode", "--model", "byte", text)["tokenIds"]!.AsArray().Select(id => id!.ToString()));
        Assert.That(CommandLine.Run("tokenizer", "decode", "--model", "byte", ids).Standard, Is.EqualTo(text));
    }

    [Test]
    public void TextMayComeFromAFile()
    {
        File.WriteAllText(_folder["a.txt"], "Hi");

        Assert.That(CommandLine.Run("tokenizer", "encode", "--model", "byte", "--file", _folder["a.txt"]), Is.EqualTo(new CommandLine(0, "72 105\n", "")));
        Assert.That(CommandLine.Run("tokenizer", "encode", "--model", "byte", "x", "--file", _folder["a.txt"]).Code, Is.EqualTo(2));
    }

    [TestCase("256")]
    [TestCase("-1")]
    [TestCase("x")]
    public void WhatIsNoTokenIsNamed(string id)
    {
        CommandLine run = CommandLine.Run("tokenizer", "decode", "--model", "byte", "--", "65", id);

        Assert.That((run.Code, run.Standard, run.Error), Is.EqualTo((2, "", $"nanofold: '{id}' is not a token id; this tokenizer has 0 to 255\n")));
    }

    [Test]
    public void ABadTokenizerIsALine()
    {
        File.WriteAllText(_folder["tokenizer.json"], "{ \"model\": 3 }");

        foreach (string path in new[] { _folder.Path, _folder["none.json"] })
        {
            CommandLine run = CommandLine.Run("tokenizer", "encode", "--model", path, "x");
            Assert.That((run.Code, run.ErrorLines.Length), Is.EqualTo((1, 1)), run.Error);
        }
    }

    [Test]
    public void ACorpusIsDescribed()
    {
        JsonObject corpus = CommandLine.Json("data", "corpus", "--data", _folder["text.txt"]);

        Assert.That(corpus["bytes"]!.GetValue<long>(), Is.EqualTo(new FileInfo(_folder["text.txt"]).Length));
        Assert.That((corpus["files"]!.GetValue<int>(), corpus["documents"]!.GetValue<int>()), Is.EqualTo((1, 1)));
        Assert.That(corpus["hash"]!.GetValue<string>(), Has.Length.EqualTo(64));

        CommandLine missing = CommandLine.Run("data", "corpus", "--data", _folder["none.txt"]);
        Assert.That((missing.Code, missing.ErrorLines.Length), Is.EqualTo((1, 1)));
    }

    [Test]
    public void EveryVerbReadsTextInTheSameWay()
    {
        // A link to compressed records in which a separator stands.
        string records = string.Concat(Enumerable.Range(0, 40).Select(i => $"{{\"a\": {{\"story\": \"cat no. {i} sat here.<e>it is fat.\"}}}}\n"));
        using (var packed = new GZipStream(File.Create(_folder["records"]), CompressionLevel.Fastest))
        {
            packed.Write(Encoding.UTF8.GetBytes(records));
        }

        File.CreateSymbolicLink(_folder["link.jsonl.gz"], "records");
        string[] text = ["--data", _folder["link.jsonl.gz"], "--field", "a.story", "--separator", "<e>", "--strict"];
        const int bytes = (40 * 30) - 10;

        JsonObject corpus = CommandLine.Json(["data", "corpus", .. text]);
        Assert.That((corpus["documents"]!.GetValue<int>(), corpus["bytes"]!.GetValue<long>(), corpus["notes"]!.AsArray().Count), Is.EqualTo((80, (long)bytes, 0)));
        Assert.That(CommandLine.Json(["data", "tokenize", .. text])["bytes"]!.GetValue<long>(), Is.EqualTo(bytes));
        Assert.That(CommandLine.Json(["tokenizer", "train", .. text, "--vocab", "270", "--out", _folder.Path])["bytes"]!.GetValue<long>(), Is.EqualTo(bytes));
        Assert.That(CommandLine.Json(["tokenizer", "encode", "--model", "byte", "--file", .. text[1..]])["count"]!.GetValue<int>(), Is.EqualTo(bytes));
    }

    [Test]
    public void StrictRefusesWhatOtherwiseIsNoted()
    {
        Directory.CreateDirectory(_folder["texts"]);
        File.Copy(_folder["text.txt"], _folder["texts/a.txt"]);
        File.WriteAllBytes(_folder["texts/image"], [1, 0]);
        string note = $"{_folder["texts"]}: 1 file was not read: image is not text (a NUL byte at 1)";

        JsonObject corpus = CommandLine.Json("data", "corpus", "--data", _folder["texts"]);
        Assert.That((corpus["files"]!.GetValue<int>(), corpus["notes"]!.AsArray().Single()!.GetValue<string>()), Is.EqualTo((1, note)));
        foreach (string[] verb in (string[][])[["data", "corpus"], ["data", "tokenize"], ["tokenizer", "train", "--out", _folder["out"]], ["train", "--out", _folder["run"]]])
        {
            CommandLine run = CommandLine.Run([.. verb, "--data", _folder["texts"], "--strict"]);
            Assert.That((run.Code, run.Error), Is.EqualTo((1, $"nanofold: {note} (refused by data.strict)\n")), string.Join(' ', verb));
        }
    }

    [Test]
    public void SeveralPathsAreAPatternWithoutQuotes()
    {
        CommandLine run = CommandLine.Run("train", "--data", "a.txt", "b.txt", "c.txt", "--steps", "1");

        Assert.That((run.Code, run.ErrorLines[0]), Is.EqualTo((2, "nanofold: b.txt: --data takes one path: name a folder, or a pattern in quotes such as --data '*.txt'")));
        Assert.That(CommandLine.Run("train", "a.txt").ErrorLines[0], Is.EqualTo("nanofold: a.txt: unknown argument"));
    }

    [Test]
    public void ACorpusIsTokenizedOnce()
    {
        string[] args = ["data", "tokenize", "--data", _folder["text.txt"], "--set", "tokenizer.vocab=300", "--set", "data.validationFraction=0.25"];
        JsonObject first = CommandLine.Json(args);
        JsonObject second = CommandLine.Json(args);
        JsonObject bytes = CommandLine.Json("data", "tokenize", "--data", _folder["text.txt"], "--set", "tokenizer=byte");

        Assert.That((first["fromCache"]!.GetValue<bool>(), second["fromCache"]!.GetValue<bool>()), Is.EqualTo((false, true)));
        Assert.That(second["trainTokens"]!.GetValue<long>(), Is.EqualTo(first["trainTokens"]!.GetValue<long>()));
        Assert.That(first["bytesPerToken"]!.GetValue<double>(), Is.GreaterThan(1.5));
        Assert.That(bytes["bytesPerToken"]!.GetValue<double>(), Is.EqualTo(1));
        Assert.That(bytes["trainTokens"]!.GetValue<long>() + bytes["validationTokens"]!.GetValue<long>(), Is.EqualTo(bytes["bytes"]!.GetValue<long>()));
    }

    [Test]
    public void TheProcessorIsADevice()
    {
        JsonObject devices = CommandLine.Json("devices", "--threads", "3");
        JsonNode cpu = devices["devices"]!.AsArray().Single(device => device!["kind"]!.GetValue<string>() == "cpu")!;

        Assert.That(cpu["threads"]!.GetValue<int>(), Is.EqualTo(3));
        Assert.That(cpu["name"]!.GetValue<string>(), Is.Not.Empty);
        Assert.That(cpu["isa"]!.GetValue<string>(), Is.Not.Empty);
        Assert.That(cpu["bf16"]!["unit"] is null, Is.EqualTo(cpu["bf16"]!["reason"] is not null));
        Assert.That(cpu["bf16"]!["gain"]!.GetValue<double>(), Is.GreaterThanOrEqualTo(1));
        Assert.That(cpu["memoryBytes"]!.GetValue<long>(), Is.Positive);
        Assert.That(devices["default"]!.GetValue<string>(), Is.EqualTo(Gpus.Preferred() ?? "cpu"));
    }
}
