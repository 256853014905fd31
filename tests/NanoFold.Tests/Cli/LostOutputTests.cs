using System.Diagnostics;
using NanoFold.Cli;
using NanoFold.Cli.Writing;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Cli;

/// <summary>Output that can be written no more: nobody reads it, or the disk is full.</summary>
[NonParallelizable]
public class LostOutputTests
{
    private const int BrokenPipe = 32, NoSpace = 28;

    [SetUp]
    public void SetUp()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Ignore("a closed pipe is not told here");
        }
    }

    [TearDown]
    public void TearDown() => LostOutput.Reset();

    [Test]
    public void AClosedPipeEndsTheVerbQuietly()
    {
        using var error = new StringWriter { NewLine = "\n" };
        using var standard = new StreamWriter(new GuardedStream(new Broken(BrokenPipe), isAsked: true)) { AutoFlush = true };
        Assert.That(Program.Run(["settings"], standard, error), Is.EqualTo(LostOutput.ClosedCode));
        Assert.That(error.ToString(), Is.Empty);
    }

    [Test]
    public void AFullDiskIsSaid()
    {
        using var error = new StringWriter { NewLine = "\n" };
        using var standard = new StreamWriter(new GuardedStream(new Broken(NoSpace), isAsked: true)) { AutoFlush = true };
        Assert.That(Program.Run(["settings", "--json"], standard, error), Is.EqualTo(Faults.Failed));
        Assert.That(error.ToString(), Does.EndWith("nanofold: cannot write standard output: the disk is full\n"));
    }

    [Test]
    public void WhatIsOnlySaidBesideMayBeLost()
    {
        var stream = new GuardedStream(new Broken(NoSpace), isAsked: false);
        Assert.That(() => stream.Write("a note"u8), Throws.Nothing);
        Assert.That(LostOutput.Last, Is.Null);
    }

    [Test]
    public void AVerbThatSavesFirstIsToldOnce()
    {
        int told = 0;
        using IDisposable ending = LostOutput.Instead(() => told++);
        var stream = new GuardedStream(new Broken(BrokenPipe), isAsked: true);
        stream.Write("a"u8);
        stream.Write("b"u8);
        Assert.That((told, LostOutput.Last), Is.EqualTo((1, ((int, string?)?)(LostOutput.ClosedCode, null))));
    }

    [Test]
    public void NobodyReadsWhatAProcessWrites()
    {
        using Process process = Start("settings");
        process.StandardOutput.Close();
        Assert.That(process.StandardError.ReadToEnd(), Is.Empty);
        process.WaitForExit();
        Assert.That(process.ExitCode, Is.EqualTo(LostOutput.ClosedCode));
    }

    [Test]
    [Category("Long")]
    public void ARunIsSavedBeforeItEndsForWantOfAReader()
    {
        using var rig = new TrainRig();
        using Process process = Start(["train", .. rig.Settings("train.steps=1000000").SelectMany(s => new[] { "--set", s }), "--out", rig["run"], "--threads", "1"]);
        process.StandardOutput.ReadLine();
        process.StandardOutput.Close();
        process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.That(process.ExitCode, Is.EqualTo(LostOutput.ClosedCode));
        Assert.That(rig.Checkpoints("run"), Has.Length.EqualTo(1));
    }

    [TestCase("C")]
    [TestCase("de_DE.ISO-8859-1")]
    public void JsonIsUtf8WhateverTheLocaleAndWithoutAHome(string locale)
    {
        using Process process = Start(["tokenizer", "decode", "--model", "byte", "195", "169", "--json"], locale);
        using var bytes = new MemoryStream();
        process.StandardOutput.BaseStream.CopyTo(bytes);
        Assert.That((process.StandardError.ReadToEnd().TrimEnd(), bytes.ToArray()), Is.EqualTo(("é", "{\"text\":\"é\"}\n"u8.ToArray())));
    }

    private static Process Start(params string[] arguments) => Start(arguments, locale: null);

    private static Process Start(string[] arguments, string? locale)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "nanofold.dll"));
        Array.ForEach(arguments, start.ArgumentList.Add);
        if (locale is not null)
        {
            start.Environment["LC_ALL"] = locale;
            start.Environment.Remove("HOME");
            start.StandardOutputEncoding = start.StandardErrorEncoding = System.Text.Encoding.UTF8;
        }

        return Process.Start(start)!;
    }

    private sealed class Broken(int error) : MemoryStream
    {
        public override void Write(ReadOnlySpan<byte> buffer) => throw new IOException("broken", error);
    }
}
