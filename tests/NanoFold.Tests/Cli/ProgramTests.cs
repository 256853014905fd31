using NanoFold.Cli;
using NanoFold.Engine;
using NanoFold.Engine.Configuration;

namespace NanoFold.Tests.Cli;

public class ProgramTests
{
    [TestCase("train", "Keys of the --json line:\n  steps, ", "--json --device --threads --seed --steps --out --resume --data --precision", "")]
    [TestCase("plan", "Keys of the --json line:\n  parameters, ", "--json --device --threads --preset --resume --precision", "--seed --steps --minutes --out --data")]
    [TestCase("devices", "Keys of the --json line:\n  devices ", "--json --device --threads", "--seed")]
    [TestCase("tokenizer", "encode", "", "--device --threads --seed")]
    [TestCase("data", "tokenize", "", "--device --threads --seed")]
    [TestCase("data corpus", "Keys of the --json line:\n  name, ", "--json --data --config --set", "--device --threads --steps --minutes --out --precision --context")]
    [TestCase("data tokenize", "Keys of the --json line:\n  name, ", "--json --data --seed --set", "--device --threads --steps --minutes --out --precision --context")]
    [TestCase("bench", "gemm", "", "--device --threads --seed")]
    [TestCase("bench kernel", "Keys of the --json line:\n  cases ", "--json --threads --save", "--device --seed")]
    public void EveryVerbListsTheOptionsThatMeanSomethingToIt(string verb, string content, string listed, string others)
    {
        string[] words = verb.Split(' ');
        CommandLine run = CommandLine.Run([.. words, "--help"]);

        Assert.That((run.Code, run.Error), Is.EqualTo((0, "")));
        Assert.That(run.Standard, Does.Contain($" {verb} [").And.Contain(content));
        Assert.That(listed.Split(' ').Where(option => !run.Standard.Contains($"  {option}")), Is.Empty);
        Assert.That(others.Split(' ', StringSplitOptions.RemoveEmptyEntries).Where(option => run.Standard.Contains($"  {option} ")), Is.Empty);
        Assert.That(CommandLine.Run(["help", .. words]).Standard, Is.EqualTo(run.Standard));
    }

    [Test]
    public void WhatMeansNothingIsTakenAndSaid()
    {
        CommandLine run = CommandLine.Run("plan", "--steps", "7", "--seed", "3");
        Assert.That((run.Code, run.Error), Is.EqualTo((0, "nanofold: --seed, --steps mean nothing to nanofold plan\n")));
    }

    [Test]
    public void MoreThreadsThanProcessorsAreNoted()
    {
        Assert.That(CommandLine.Run("plan", "--threads", "1024").Error, Does.Match("^nanofold: --threads 1024: this machine has [0-9]+ processors?; those beyond have no part in it\n$"));
        Assert.That(CommandLine.Run("plan", "--threads", "1").Error, Is.Empty);
    }

    [Test]
    public void TheVerbsAreListed()
    {
        CommandLine run = CommandLine.Run("--help");

        Assert.That(run.Code, Is.Zero);
        Assert.That(run.Standard, Does.Contain("plan").And.Contain("tokenizer").And.Contain("data").And.Contain("devices"));
        Assert.That(CommandLine.Run("--version").Standard, Does.Match(@"^\d+\.\d+"));
    }

    [TestCase("", "nanofold: a verb is missing: train, ")]
    [TestCase("plann", "nanofold: plann: unknown verb; did you mean plan?")]
    [TestCase("train --lr 0.1", "nanofold: --lr: unknown option; did you mean --set train.learningRate=…?")]
    [TestCase("train --batch-size 4", "nanofold: --batch-size: unknown option; did you mean --batch?")]
    [TestCase("train --max-steps 4", "nanofold: --max-steps: unknown option; did you mean --steps?")]
    [TestCase("plan --layers 4", "nanofold: --layers: unknown option; did you mean --set model.layers=…?")]
    [TestCase("plan --context 8 --context 9 --context 10", "nanofold: --context: is given 3 times; it takes one value")]
    [TestCase("help plann", "nanofold: plann: unknown verb; did you mean plan?")]
    [TestCase("plan --step 3", "nanofold: --step: unknown option; did you mean --steps?")]
    [TestCase("plan three", "nanofold: three: unknown argument")]
    [TestCase("plan --threads 0", "nanofold: --threads: expected an integer from 1 to 1024, got '0'")]
    [TestCase("plan --seed -1", "nanofold: --seed: expected an integer of at least 0, got '-1'")]
    [TestCase("tokenizer", "nanofold: what to do with tokenizer is missing: train, encode, decode")]
    [TestCase("tokenizer trian", "nanofold: trian: unknown argument; did you mean train?")]
    [TestCase("devices --device gpu", "nanofold: --device gpu: expected one of auto, cpu, cuda, opencl")]
    public void WrongUsageIsCodeTwoAndALine(string line, string expected)
    {
        CommandLine run = CommandLine.Run(line.Split(' ', StringSplitOptions.RemoveEmptyEntries));

        Assert.That((run.Code, run.Standard), Is.EqualTo((2, "")));
        Assert.That(run.ErrorLines[0], Does.StartWith(expected));
        Assert.That(run.ErrorLines, Has.Length.LessThanOrEqualTo(2));
    }

    [TestCase("cuda")]
    [TestCase("opencl")]
    public void ADeviceThatIsNotThereIsAnError(string device)
    {
        if (Gpus.WhyNot(device) is not { } reason)
        {
            Assert.Ignore($"there is a device of {device}");
            return;
        }

        CommandLine run = CommandLine.Run("plan", "--device", device);

        Assert.That((run.Code, run.Standard), Is.EqualTo((1, "")));
        Assert.That(run.ErrorLines, Has.Length.EqualTo(1));
        Assert.That(run.Error, Does.StartWith($"nanofold: --device {device}: {reason}; --device cpu works everywhere"));
    }

    [Test]
    public void EveryProblemOfAConfigurationIsALine()
    {
        CommandLine run = CommandLine.Run("plan", "--set", "model.layer=3", "--set", "model.mixer=xyzzy", "--steps", "six", "--batch", "auto");

        Assert.That((run.Code, run.Standard), Is.EqualTo((2, "")));
        Assert.That(run.ErrorLines, Is.EqualTo(new[]
        {
            "nanofold: model.layer: unknown key; did you mean model.layers?",
            Configuration.Configs.WithKinds("nanofold: model.mixer: unknown kind \"xyzzy\"; known: {mixers}"),
            "nanofold: train.steps: expected an integer of at least 1 and at most 2147483647, got \"six\"",
        }));
    }

    [Test]
    public void ExceptionsHaveTheirCodes()
    {
        Assert.That(Report(new UserException("a")), Is.EqualTo((1, "nanofold: a\n")));
        Assert.That(Report(UserException.Usage("a")), Is.EqualTo((2, "nanofold: a\n")));
        Assert.That(Report(new ConfigException([new("a.b", "c"), new("d", "e")])), Is.EqualTo((2, "nanofold: a.b: c\nnanofold: d: e\n")));
        Assert.That(Report(new InvalidDataException("a\nb")), Is.EqualTo((1, "nanofold: a b\n")));
        Assert.That(Report(new OperationCanceledException()), Is.EqualTo((130, "nanofold: interrupted\n")));
        Assert.That(
            Report(new InvalidOperationException("a\r\nb")),
            Is.EqualTo((1, "nanofold: InvalidOperationException: a  b (a fault of this program; NANOFOLD_TRACE=1 shows where it happened)\n")));
    }

    [Test]
    [NonParallelizable]
    public void ATraceIsShownOnlyWhereAskedFor()
    {
        string? before = Environment.GetEnvironmentVariable(Faults.TraceVariable);
        try
        {
            Environment.SetEnvironmentVariable(Faults.TraceVariable, "1");
            Assert.That(Report(Thrown()).Text, Does.Contain(nameof(Thrown)));
            Environment.SetEnvironmentVariable(Faults.TraceVariable, null);
            Assert.That(Report(Thrown()).Text, Does.Not.Contain(nameof(Thrown)));
        }
        finally
        {
            Environment.SetEnvironmentVariable(Faults.TraceVariable, before);
        }

        static Exception Thrown()
        {
            try
            {
                throw new InvalidOperationException("a");
            }
            catch (InvalidOperationException e)
            {
                return e;
            }
        }
    }

    private static (int Code, string Text) Report(Exception exception)
    {
        using var error = new StringWriter { NewLine = "\n" };
        int code = Faults.Report(exception, error);
        return (code, error.ToString());
    }
}
