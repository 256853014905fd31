using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;

// Columns wide enough for the names of cases.
IConfig config = DefaultConfig.Instance.WithSummaryStyle(SummaryStyle.Default.WithMaxParameterColumnWidth(100));
BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args, config);
