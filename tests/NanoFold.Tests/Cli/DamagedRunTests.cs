using System.Text;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Runs;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Cli;

/// <summary>Every file of a checkpoint missing, cut short or overwritten, under every verb that reads it.</summary>
[NonParallelizable]
public class DamagedRunTests
{
    private TrainRig _rig = null!;

    [SetUp]
    public void SetUp()
    {
        _rig = new TrainRig();
        _rig.Train("run", "train.stopAfter=7");
    }

    [TearDown]
    public void TearDown() => _rig.Dispose();

    [Test]
    public void AFileOfTheCheckpoint(
        [Values("model.safetensors", "optimizer.safetensors", "state.json", "tokenizer.json", "config.json")] string file,
        [Values] Damage damage)
    {
        string path = _rig.Checkpoint("run", 7, file);
        byte[] sound = File.ReadAllBytes(path);
        Apply(damage, path, sound);
        var read = new Dictionary<string, string[]>
        {
            ["eval"] = ["--model", _rig.Checkpoint("run", 7), "--data", _rig.TextPath],
            ["generate"] = ["--model", _rig.Checkpoint("run", 7), "--max-tokens", "2"],
            ["train"] = ["--resume", _rig["run"], "--device", "cpu"],
        };
        foreach ((string verb, string[] options) in read)
        {
            // Only resuming reads moments, and cannot do without a state.
            bool isRead = verb == "train" || !(file == "optimizer.safetensors" || (file == "state.json" && damage == Damage.Missing));
            CommandLine run = CommandLine.Run([verb, .. options]);
            if (!isRead)
            {
                Assert.That(run.Code, Is.Zero, run.Error);
                continue;
            }

            AssertFault(run, path);
            Assert.That(run.Error, Does.EndWith(verb == "train" ? $"; delete {_rig.Checkpoint("run", 7)} to go on from the checkpoint before it\n" : "; name another checkpoint of the run\n"));
        }

        if (damage == Damage.Cut)
        {
            // As it says.
            Directory.Delete(_rig.Checkpoint("run", 7), recursive: true);
            Assert.That(CommandLine.Run("train", "--resume", _rig["run"], "--device", "cpu").Code, Is.Zero);
            _rig.Train("straight");
            _rig.AssertSame("run", "straight", 12);
        }
    }

    [Test]
    public void ATokenizerOfACheckpointThatChanged()
    {
        string path = _rig.Checkpoint("run", 7, "tokenizer.json"), sound = File.ReadAllText(path);
        string[] models = [_rig["run"], _rig.Checkpoint("run", 7), path];
        foreach (string model in models)
        {
            Assert.That(CommandLine.Run("tokenizer", "encode", "--model", model, "AB").Standard, Does.Contain("65 66"), model);
        }

        File.WriteAllText(path, sound + " ");
        foreach (string model in models)
        {
            AssertFault(CommandLine.Run("tokenizer", "encode", "--model", model, "AB"), path);
        }

        CommandLine train = CommandLine.Run("train", "--set", "tokenizer=file", "--set", $"tokenizer.path={path}", "--data", _rig.TextPath, "--steps", "1", "--out", _rig["never"], "--device", "cpu");
        AssertFault(train, path);
    }

    [Test]
    public void TheRunsConfiguration([Values] Damage damage)
    {
        string path = Path.Combine(_rig["run"], "config.json");
        Apply(damage, path, File.ReadAllBytes(path));

        CommandLine run = CommandLine.Run("train", "--resume", _rig["run"]);
        if (damage == Damage.Missing)
        {
            Assert.That((run.Code, run.ErrorLines.Length), Is.EqualTo((1, 1)));
            Assert.That(run.Error, Does.StartWith($"nanofold: {_rig["run"]}: is not a run folder (it has no config.json)"));
            return;
        }

        AssertFault(run, path);
    }

    [TestCase("\"learningRate\": 0.01", "\"learningRate\": 0.004")]
    [TestCase("\"layers\": 2", "\"layers\": 1")]
    [TestCase(null, "{}")]
    public void ARunsConfigurationThatWasChanged(string? what, string with)
    {
        string path = Path.Combine(_rig["run"], "config.json"), text = File.ReadAllText(path);
        Assert.That(text, Does.Contain(what ?? ""));
        File.WriteAllText(path, what is null ? with : text.Replace(what, with, StringComparison.Ordinal));

        CommandLine run = CommandLine.Run("train", "--resume", _rig["run"]);
        AssertFault(run, path);
        Assert.That(run.Error, Does.Contain(_rig.Checkpoint("run", 7, "config.json")));
    }

    [Test]
    public void AConfigurationOfAnotherModel()
    {
        string path = _rig.Checkpoint("run", 7, "config.json");
        string text = File.ReadAllText(path);
        _rig.MakeOlder("run", 7);
        foreach ((string setting, string file) in new[]
        {
            ("\"layers\": 1", "model.safetensors"), ("\"layers\": 4096", "model.safetensors"), ("\"layers\": 0", "config.json"), ("\"layer\": 2", "config.json"),
        })
        {
            File.WriteAllText(path, text.Replace("\"layers\": 2", setting, StringComparison.Ordinal));
            AssertFault(CommandLine.Run("generate", "--model", _rig.Checkpoint("run", 7)), _rig.Checkpoint("run", 7, file));
        }

        File.WriteAllText(path, text.Replace("\"vocab\": 256", "\"vocab\": 100", StringComparison.Ordinal));
        AssertFault(CommandLine.Run("generate", "--model", _rig.Checkpoint("run", 7)), _rig.Checkpoint("run", 7, "config.json"));
    }

    [TestCase("{ \"step\": 7, \"steps\": 12 }")]
    [TestCase("{ \"step\": -7, \"steps\": 12, \"contentHash\": \"\" }")]
    [TestCase("{ \"step\": 7, \"steps\": 3, \"contentHash\": \"\" }")]
    [TestCase("{ \"step\": \"seven\" }")]
    [TestCase("null")]
    [TestCase("{ \"version\": 99 }")]
    public void AStateThatMakesNoSense(string json)
    {
        string path = _rig.Checkpoint("run", 7, TrainState.FileName);
        File.WriteAllText(path, json);

        AssertFault(CommandLine.Run("train", "--resume", _rig["run"]), path);
    }

    [Test]
    public void AStateOfAnotherStep()
    {
        string path = _rig.Checkpoint("run", 7, TrainState.FileName);
        File.Copy(_rig.Checkpoint("run", 5, TrainState.FileName), path, overwrite: true);

        AssertFault(CommandLine.Run("train", "--resume", _rig["run"]), path);
    }

    [Test]
    public void ValuesThatAreNotFinite()
    {
        _rig.MakeOlder("run", 7);
        foreach (string file in new[] { ModelFile.Name, "optimizer.safetensors" })
        {
            string path = _rig.Checkpoint("run", 7, file);
            byte[] bytes = File.ReadAllBytes(path);
            BitConverter.GetBytes(float.NaN).CopyTo(bytes, bytes.Length - 400);
            File.WriteAllBytes(path, bytes);
            CommandLine run = CommandLine.Run("train", "--resume", _rig["run"]);
            AssertFault(run, path);
            Assert.That(run.Error, Does.Contain(" has values that are not finite"));
            File.Copy(_rig.Checkpoint("run", 5, file), path, overwrite: true);
        }
    }

    [Test]
    public void AMarkOfTheBestThatIsTorn()
    {
        string path = Path.Combine(_rig["run"], "checkpoints", "best.json");
        File.WriteAllText(path, "{ \"step\": ");

        AssertFault(CommandLine.Run("generate", "--model", _rig["run"]), path);
    }

    [TestCase(60)]
    [TestCase(2000, Category = "Long")]
    public void AnyBytesOverwritten(int times)
    {
        new CheckpointFolder(Path.Combine(_rig["run"], "checkpoints")).MarkBest(7, 5);
        string[] files = [.. new[] { "model.safetensors", "optimizer.safetensors", "state.json", "tokenizer.json", "config.json" }.Select(file => _rig.Checkpoint("run", 7, file))];
        files = [.. files, Path.Combine(_rig["run"], "config.json"), Path.Combine(_rig["run"], "checkpoints", "best.json")];
        byte[][] sound = [.. files.Select(File.ReadAllBytes)];
        var random = new Random(5);
        for (int i = 0; i < times; i++)
        {
            int file = random.Next(files.Length);
            byte[] bytes = [.. sound[file]];
            for (int changes = random.Next(1, 4); changes > 0; changes--)
            {
                // Mostly in what says how the rest is to be read.
                bytes[random.Next(random.Next(4) > 0 ? Math.Min(bytes.Length, 900) : bytes.Length)] = random.Next(3) > 0 ? (byte)random.Next(' ', 127) : (byte)random.Next(256);
            }

            File.WriteAllBytes(files[file], bytes);
            CommandLine run = i % 2 == 0
                ? CommandLine.Run("generate", "--model", file == 6 ? _rig["run"] : _rig.Checkpoint("run", 7), "--max-tokens", "2", "--device", "cpu", "--threads", "1")
                : CommandLine.Run("train", "--resume", _rig["run"], "--set", "train.stopAfter=7", "--device", "cpu", "--threads", "1");
            // Every change in a checkpoint that is read is found, but for spaces and the like in its state, which has no others.
            bool isChanged = !bytes.AsSpan().SequenceEqual(sound[file]), isFound = file is 0 or 3 or 4 || (file == 1 && i % 2 == 1);
            Assert.That(run.Code, isChanged && isFound ? Is.EqualTo(1) : Is.Zero.Or.EqualTo(1), $"{i}: {files[file]}");
            Assert.That(run.Error, Does.Not.Contain("a fault of this program"), $"{i}: {files[file]}");
            Assert.That(run.Code == 0 || run.ErrorLines.Length == 1, run.Error);
            File.WriteAllBytes(files[file], sound[file]);
        }
    }

    [Test]
    public void ALogThatIsTornIsMended()
    {
        _rig.Train("straight");
        foreach (string log in new[] { RunFolder.MetricsFile, RunFolder.GeometryFile })
        {
            File.AppendAllText(Path.Combine(_rig["run"], log), "{\"step\":6,\"lo");
        }

        Assert.That(CommandLine.Run("train", "--resume", _rig["run"], "--device", "cpu").Code, Is.Zero);
        _rig.AssertSame("run", "straight", 12);
    }

    private static void Apply(Damage damage, string path, byte[] sound)
    {
        switch (damage)
        {
            case Damage.Missing:
                File.Delete(path);
                break;
            case Damage.Empty:
                File.WriteAllBytes(path, []);
                break;
            case Damage.Cut:
                File.WriteAllBytes(path, sound[..(sound.Length / 2)]);
                break;
            default:
                File.WriteAllBytes(path, [.. Encoding.ASCII.GetBytes("garbage"), .. sound.Select(b => (byte)(b ^ 0x5A))]);
                break;
        }
    }

    // A line, and it names the file.
    private static void AssertFault(CommandLine run, string path)
    {
        Assert.That((run.Code, run.Standard), Is.EqualTo((1, "")), run.Error);
        Assert.That(run.ErrorLines, Has.Length.EqualTo(1), run.Error);
        Assert.That(run.Error, Does.StartWith("nanofold: ").And.Contain(path).And.Not.Contain("a fault of this program"));
    }

    public enum Damage
    {
        Missing,
        Empty,
        Cut,
        Overwritten,
    }
}
