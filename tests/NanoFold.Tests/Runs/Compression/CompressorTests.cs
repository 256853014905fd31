using System.Text;
using FsCheck;
using FsCheck.Fluent;
using NanoFold.Engine;
using NanoFold.Engine.Interchange;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Runs.Compression;
using NanoFold.Kernels;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Runs.Compression;

[NonParallelizable]
public class CompressorTests
{
    private static readonly byte[] s_text = Encoding.UTF8.GetBytes(TrainRig.Text);
    private static readonly PrequentialSettings s_learner = new()
    {
        Passes = 2,
        Settings = ["model.layers=1", "model.width=16", "model.heads=2", "model.hidden=16", "model.context=8", "train.batch=4", "train.learningRate=0.01"],
    };

    private TrainRig _rig = null!;
    private Backend _backend = null!;
    private TrainedModel _model = null!;

    [OneTimeSetUp]
    public void SetUp()
    {
        _rig = new TrainRig();
        _rig.Train("run", "train.steps=60", "train.learningRate=0.02");
        _rig.Train("wide", "train.steps=2", "model.width=64", "model.hidden=64");
        _backend = Compressor.OpenBackend(2, isPortable: false);
        _model = TrainedModel.Load(_rig["run"], _backend);
    }

    [OneTimeTearDown]
    public void TearDown()
    {
        _model.Dispose();
        _backend.Dispose();
        _rig.Dispose();
    }

    [Test]
    public void AnyBytesComeBack()
        => Prop.ForAll(ArbMap.Default.GeneratorFor<byte[]>().Where(bytes => bytes.Length < 60).ToArbitrary(), bytes =>
        {
            (byte[] file, CompressionResult result) = Compressor.Compress(_model, bytes, new CompressionOptions());
            Assert.That(Back(file), Is.EqualTo(bytes));
            Assert.That(result.PackedBytes, Is.EqualTo(file.Length));
            // What a model of text cannot shorten is stored.
            Assert.That(file, Has.Length.LessThanOrEqualTo(bytes.Length + 32));
        }).Check(FsCheck.Config.QuickThrowOnFailure.WithMaxTest(25).WithReplay(5, 43));

    [Test]
    public void TheFileIsAsLongAsTheCrossEntropy()
    {
        (byte[] file, CompressionResult result) = Compressor.Compress(_model, [.. s_text, .. s_text, .. s_text, .. s_text], new CompressionOptions());
        double crossEntropy = result.CrossEntropy!.Value * result.SourceBytes / 8;
        Assert.That(crossEntropy, Is.LessThan(0.7 * 4 * s_text.Length), "it learned something");
        const int Described = 64;
        Assert.That(file.Length, Is.InRange(crossEntropy - 1, (crossEntropy * 1.001) + Described));
        Assert.That(result.Curve!.Points.Sum(p => p.Bytes), Is.EqualTo(result.SourceBytes));
        Assert.That(result.Curve.Points[^1].MeanBitsPerByte, Is.EqualTo(result.CrossEntropy.Value).Within(1e-3));
        Assert.That(result.Model!.Single, Is.EqualTo(4 * _model.Model.Store.Tensors.Sum(tensor => tensor.Layout.Count)));
        Assert.That(result.Model.Used, Is.EqualTo(result.Model.Single));
        Assert.That(result.Model.Q8, Is.LessThanOrEqualTo(result.Model.Single));
    }

    [Test]
    public void LanesAndThreadsChangeNothingInTheText([Values(1, 3, 7)] int lanes)
    {
        var options = new CompressionOptions { Lanes = lanes };
        byte[] file = Compressor.Compress(_model, s_text, options).File;
        using Backend one = Compressor.OpenBackend(1, isPortable: false);
        using TrainedModel alone = TrainedModel.Load(_rig["run"], one);
        Assert.That(Compressor.Compress(alone, s_text, options).File, Is.EqualTo(file), "the same bits for any number of threads");
        using var text = new MemoryStream();
        CompressedText.Read(file, "file").Decompress(alone, one, text);
        Assert.That(text.ToArray(), Is.EqualTo(s_text));
    }

    [Test]
    public void AModelLearnsWhileItCodes()
    {
        byte[] text = s_text;
        (byte[] file, CompressionResult result) = Compressor.Compress(s_learner, text, new CompressionOptions(), _backend);
        Assert.That(result.Steps, Is.GreaterThan(25));
        Assert.That(file, Has.Length.LessThan(0.8 * text.Length));
        IReadOnlyList<CurvePoint> points = result.Curve!.Points;
        Assert.That(points[^1].BitsPerByte, Is.LessThan(points[0].BitsPerByte - 1), "it knows more at the end");
        Assert.That(Back(file), Is.EqualTo(text));
        using Backend one = Compressor.OpenBackend(1, isPortable: false);
        Assert.That(Compressor.Compress(s_learner, text, new CompressionOptions(), one).File, Is.EqualTo(file), "the same bits for any number of threads");
    }

    [Test]
    public void PortableFilesAreTheSameOnAnyMachine()
    {
        // Weights, training, predictions and coding, from a seed on: what another machine is to get, bit by bit.
        using Backend backend = Compressor.OpenBackend(2, isPortable: true);
        var options = new CompressionOptions { IsPortable = true };
        byte[] text = s_text[..600];
        byte[] file = Compressor.Compress(s_learner, text, options, backend).File;
        Assert.That((file.Length, Checksum.Of(file)), Is.EqualTo((397, 3170020842u)));
        Assert.That(Back(file), Is.EqualTo(text));
    }

    [Test]
    public void AnotherModelOrOtherNumbersAreRefused()
    {
        byte[] file = Compressor.Compress(_model, s_text, new CompressionOptions()).File;
        _rig.Train("other", "train.steps=1");
        using TrainedModel other = TrainedModel.Load(_rig["other"], _backend);
        Assert.That(() => Back(file, other), Throws.TypeOf<UserException>().With.Message.Contains("another model"));
        Assert.That(() => CompressedText.Read(file, "a.nfc").Decompress(null, _backend, Stream.Null), Throws.TypeOf<UserException>().With.Message.Contains("--model"));

        using Backend portable = Compressor.OpenBackend(1, isPortable: true);
        using TrainedModel elsewhere = TrainedModel.Load(_rig["run"], portable);
        Assert.That(() => CompressedText.Read(file, "a.nfc").Decompress(elsewhere, portable, Stream.Null), Throws.TypeOf<UserException>().With.Message.Contains("numbers are others here"));
    }

    [TestCase(WeightStorage.Float16)]
    [TestCase(WeightStorage.BFloat16)]
    [TestCase(WeightStorage.Q8_0)]
    public void RoundedWeightsAreThoseOfTheFile(WeightStorage storage)
    {
        byte[] text = s_text[..500], exact = Compressor.Compress(_model, text, new CompressionOptions()).File;
        using TrainedModel rounded = TrainedModel.Load(_rig["wide"], _backend, storage: storage), whole = TrainedModel.Load(_rig["wide"], _backend);
        (byte[] file, CompressionResult result) = Compressor.Compress(rounded, text, new CompressionOptions());
        CompressedText packed = CompressedText.Read(file, "a.nfc");
        Assert.That(packed.Weights, Is.EqualTo(storage));
        Assert.That(result.Model!.Used, Is.LessThan(0.6 * result.Model.Single));
        Assert.That(Back(file, rounded), Is.EqualTo(text));
        Assert.That(() => Back(file, whole), Throws.TypeOf<UserException>().With.Message.Contains($"was compressed with the model's weights in {storage.TypeOf()}, and they are in Float32 here"));
        Assert.That(CompressedText.Read(exact, "b.nfc").Weights, Is.EqualTo(WeightStorage.AsStored));

        // As they are in their file is to the bit what single precision is.
        using TrainedModel stored = TrainedModel.Load(_rig["wide"], _backend, storage: WeightStorage.AsStored);
        Assert.That(Compressor.Compress(stored, text, new CompressionOptions()).File, Is.EqualTo(Compressor.Compress(whole, text, new CompressionOptions()).File));
    }

    [Test]
    public void SettingsOfAFileThatAreNoneHereAreToldWithItsName()
    {
        byte[] file = Compressor.Compress(s_learner, s_text, new CompressionOptions(), _backend).File;
        int at = file.AsSpan().IndexOf("model.width"u8);
        Assert.That(at, Is.Positive);
        "model.wirth"u8.CopyTo(file.AsSpan(at));
        // The check sum of the header, which ends after the settings.
        int end = file.AsSpan().IndexOf("train.learningRate=0.01"u8) + "train.learningRate=0.01".Length;
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(end), Checksum.Of(file.AsSpan(0, end)));
        Assert.That(() => Back(file), Throws.TypeOf<UserException>().With.Message.StartsWith("file: the model that learned while it was compressed is none here: model.wirth"));
    }

    [Test]
    public void WhereAFileIsDamagedIsSaid()
    {
        byte[] file = Compressor.Compress(_model, s_text, new CompressionOptions()).File;
        string Fault(byte[] bytes) => Assert.Throws<UserException>(() => CompressedText.Read(bytes, "a.nfc"))!.Message;
        byte[] changed = [.. file];
        changed[^5] ^= 1;
        Assert.That(Fault(changed), Does.StartWith("a.nfc: is damaged in block 1, which begins at byte "));
        Assert.That(Fault(file[..^3]), Does.StartWith($"a.nfc: ends at byte {file.Length - 3}, within block 1"));
        Assert.That(Fault([.. file, 7]), Does.StartWith($"a.nfc: goes on after byte {file.Length}"));
        Assert.That(Fault(file[..9]), Does.StartWith("a.nfc: ends at byte 9, within its header"));
        Assert.That(Fault([]), Does.Contain("cut off"));
        Assert.That(Fault(s_text), Does.Contain("no file that compress wrote"));
        changed = [.. file];
        changed[4] = 9;
        Assert.That(Fault(changed), Does.Contain("version 9"));
        changed[4] = 1;
        changed[8] ^= 4;
        Assert.That(Fault(changed), Does.Contain("header"));
    }

    [Test]
    public void DamagedFilesAreFound() => Damage(300);

    [Test]
    [Category("Long")]
    public void TenThousandDamagedFilesAreFound() => Damage(10_000);

    [TestCase("tokenizer=bpe", "means nothing")]
    [TestCase("train.precision=bf16", "fp32")]
    [TestCase("model.visibility=full", "causal")]
    [TestCase("model.width=16\npasses=3", "has several lines")]
    public void SettingsThatMeanNothingAreRefused(string setting, string reason)
        => Assert.That(
            () => Compressor.Compress(s_learner with { Settings = [.. s_learner.Settings, setting] }, s_text, new CompressionOptions(), _backend),
            Throws.InstanceOf<UserException>().With.Message.Contains(reason));

    // Files with some bytes changed, left out, doubled or cut off are refused in a line, or what comes out of them is the text.
    private void Damage(int count)
    {
        var random = new Random(17);
        byte[][] files =
        [
            Compressor.Compress(_model, s_text.AsSpan(0, 300), new CompressionOptions { Lanes = 2 }).File,
            Compressor.Compress(s_learner, s_text.AsSpan(0, 300), new CompressionOptions(), _backend).File,
            Compressor.Compress(_model, [.. Enumerable.Range(0, 200).Select(i => (byte)(i * 89))], new CompressionOptions()).File,
        ];
        for (int i = 0; i < count; i++)
        {
            byte[] file = files[i % files.Length];
            List<byte> bytes = [.. file];
            for (int change = random.Next(1, 4); change > 0 && bytes.Count > 1; change--)
            {
                int at = random.Next(bytes.Count);
                switch (random.Next(5))
                {
                    case 0:
                        bytes.RemoveRange(at, bytes.Count - at);
                        break;
                    case 1:
                        bytes.RemoveAt(at);
                        break;
                    case 2:
                        bytes.Insert(at, (byte)random.Next(256));
                        break;
                    default:
                        bytes[at] ^= (byte)(1 << random.Next(8));
                        break;
                }
            }

            if (bytes.SequenceEqual(file))
            {
                continue;
            }

            Assert.That(() => CompressedText.Read([.. bytes], "file"), Throws.TypeOf<UserException>(), Convert.ToHexString([.. bytes]));
        }
    }

    private byte[] Back(byte[] file, TrainedModel? model = null)
    {
        using var text = new MemoryStream();
        CompressedText packed = CompressedText.Read(file, "file");
        if (!packed.IsPortable)
        {
            packed.Decompress(model ?? _model, _backend, text);
            return text.ToArray();
        }

        using Backend portable = Compressor.OpenBackend(1, isPortable: true);
        packed.Decompress(null, portable, text);
        return text.ToArray();
    }
}
