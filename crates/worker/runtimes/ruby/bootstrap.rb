# frozen_string_literal: true

# The Ruby runtime of Dunlin: asks the Runtime API for events and hands them to the function's handler.
#
# A cold start waits for this file, so it loads next to nothing: Ruby is started without RubyGems, which takes several times
# as long as all the rest and comes when it is needed; and the HTTP client is a raw socket. What is documented of Lambda's
# Ruby runtimes holds here: https://docs.aws.amazon.com/lambda/latest/dg/lambda-ruby.html

# Nothing of this gets in the way of the function's own names.
module Dunlin
  # RubyGems as soon as something needs it.
  module LazyGems
    # Where functions and layers have gems of their own, which may be newer than those that Ruby brings.
    VENDORED = %w[/var/task/vendor/bundle /opt/ruby/gems].freeze

    def self.needed_at_once?
      VENDORED.any? { |dir| File.directory?(dir) } || ENV.key?('GEM_HOME') || File.file?('/var/task/Gemfile')
    end

    def self.load
      return if @loaded

      @loaded = true
      Kernel.module_eval do
        alias_method :require, :require_without_gems
        private :require
        remove_method :require_without_gems
        remove_method :gem
      end
      require 'rubygems'
    end

    def self.loaded?
      @loaded
    end

    def self.await
      Object.autoload(:Gem, 'rubygems')
      Kernel.module_eval do
        alias_method :require_without_gems, :require

        def require(path)
          return Dunlin::LazyGems.load if path == 'rubygems'

          require_without_gems(path)
        rescue LoadError => error
          raise if Dunlin::LazyGems.loaded? || error.path != path

          Dunlin::LazyGems.load
          require(path)
        end

        def gem(*arguments)
          Dunlin::LazyGems.load
          gem(*arguments)
        end
        private :require, :gem, :require_without_gems
      end
    end
  end
end

Dunlin::LazyGems.await
Dunlin::LazyGems.load if Dunlin::LazyGems.needed_at_once?

require 'json'
require 'socket'

module Dunlin
  # One connection, kept open, to the Runtime API.
  class RuntimeApi
    Reply = Struct.new(:status, :headers, :body)
    AGENT = "aws-lambda-ruby/#{RUBY_VERSION}-dunlin"

    def initialize(address)
      @address = address
      host, _, port = address.rpartition(':')
      @peer = [host, Integer(port)]
    end

    # The one call that may be repeated: nothing was handed over yet.
    def next_invocation
      attempts = 0
      begin
        call("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: #{@address}\r\nUser-Agent: #{AGENT}\r\n\r\n")
      rescue SystemCallError, EOFError
        @socket = nil
        retry if (attempts += 1) < 2
        raise
      end
    end

    def post(where, body, headers = {})
      head = +"POST /2018-06-01/runtime/#{where} HTTP/1.1\r\nHost: #{@address}\r\nUser-Agent: #{AGENT}\r\n"
      headers.each { |name, value| head << name << ': ' << value << "\r\n" }
      head << "Content-Length: #{body.bytesize}\r\n\r\n"
      call(head.b << body.b)
    end

    private

    def call(request)
      socket = (@socket ||= connected)
      socket.write(request)
      status = Integer(line.split(' ', 3)[1])
      headers = {}
      until (text = line).empty?
        name, value = text.split(':', 2)
        headers[name.downcase] = value.strip
      end
      length = Integer(headers.fetch('content-length', '0'))
      Reply.new(status, headers, length.zero? ? +'' : exactly(length))
    end

    def connected
      socket = TCPSocket.new(*@peer)
      socket.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1)
      socket.sync = true
      socket
    end

    def line
      text = @socket.gets("\r\n") or raise EOFError, 'the Runtime API closed the connection'
      text.chomp.force_encoding(Encoding::UTF_8)
    end

    def exactly(length)
      body = @socket.read(length)
      raise EOFError, 'the Runtime API closed the connection' if body.nil? || body.bytesize < length

      body.force_encoding(Encoding::UTF_8)
    end
  end

  # What a handler may know of its invocation.
  class LambdaContext
    attr_reader :aws_request_id, :invoked_function_arn, :deadline_ms, :identity, :client_context, :tenant_id,
                :log_group_name, :log_stream_name, :function_name, :memory_limit_in_mb, :function_version

    def initialize(headers)
      @aws_request_id = headers['lambda-runtime-aws-request-id']
      @invoked_function_arn = headers['lambda-runtime-invoked-function-arn']
      @deadline_ms = headers['lambda-runtime-deadline-ms'].to_i
      @identity = parsed(headers['lambda-runtime-cognito-identity'])
      @client_context = parsed(headers['lambda-runtime-client-context'])
      @tenant_id = headers['lambda-runtime-aws-tenant-id']
      @log_group_name = ENV.fetch('AWS_LAMBDA_LOG_GROUP_NAME', nil)
      @log_stream_name = ENV.fetch('AWS_LAMBDA_LOG_STREAM_NAME', nil)
      @function_name = ENV.fetch('AWS_LAMBDA_FUNCTION_NAME', nil)
      @memory_limit_in_mb = ENV.fetch('AWS_LAMBDA_FUNCTION_MEMORY_SIZE', nil)
      @function_version = ENV.fetch('AWS_LAMBDA_FUNCTION_VERSION', nil)
    end

    def get_remaining_time_in_millis
      [deadline_ms - Process.clock_gettime(Process::CLOCK_REALTIME, :millisecond), 0].max
    end

    private

    def parsed(text)
      JSON.parse(text) if text && !text.empty?
    end
  end

  # The function's log: every invocation's id in the lines of Logger, and what went wrong.
  module LambdaLog
    IS_JSON = ENV['AWS_LAMBDA_LOG_FORMAT']&.upcase == 'JSON'

    class << self
      attr_accessor :request_id

      # Loggers of the standard library, made before or after, write their lines so.
      def patch_logger
        return if @patched || !defined?(::Logger::Formatter)

        @patched = true
        ::Logger::Formatter.prepend(IS_JSON ? JsonLines : TextLines)
      end

      def error(message, document)
        if IS_JSON
          record = { timestamp: timestamp(Time.now), level: 'ERROR', requestId: request_id, message: message }
          puts JSON.generate(record.merge(document))
        else
          puts "#{message}\n#{JSON.pretty_generate(document)}"
        end
      end

      def timestamp(time)
        time.getutc.strftime('%Y-%m-%dT%H:%M:%S.%LZ')
      end
    end

    # As Logger does it, with the id of the request.
    module TextLines
      def call(severity, time, progname, message)
        at = time.strftime(datetime_format || '%Y-%m-%dT%H:%M:%S.%6N')
        format("%s, [%s #%d] %5s %s -- %s: %s\n", severity[0], at, Process.pid, severity, LambdaLog.request_id, progname,
               msg2str(message))
      end
    end

    # One JSON object a record.
    module JsonLines
      def call(severity, time, progname, message)
        record = { timestamp: LambdaLog.timestamp(time), level: severity, requestId: LambdaLog.request_id }
        record[:progname] = progname if progname
        record[:message] = message.is_a?(Hash) ? message : msg2str(message)
        "#{JSON.generate(record)}\n"
      end
    end
  end

  # What went wrong, as callers and X-Ray are told.
  class Failure
    CAUSE_MAX = 1 << 20

    def initialize(error, where)
      @error = error
      @type = "#{where}<#{error.class}>"
      # Our own frames are at the bottom, those of the function on top of them.
      @frames = (error.backtrace_locations || []).take_while { |frame| frame.path != __FILE__ }
      @frames = error.backtrace_locations || [] if @frames.empty?
    end

    def document
      { errorMessage: utf8(@error.message), errorType: @type, stackTrace: @frames.map(&:to_s) }
    end

    def body
      JSON.generate(document)
    end

    def headers
      headers = { 'Content-Type' => 'application/json', 'Lambda-Runtime-Function-Error-Type' => ascii(@type) }
      cause = ascii(JSON.generate(cause_of_error))
      headers['Lambda-Runtime-Function-XRay-Error-Cause'] = cause if cause.bytesize < CAUSE_MAX
      headers
    end

    private

    def cause_of_error
      stack = @frames.map { |frame| { path: frame.path, line: frame.lineno, label: frame.label } }
      {
        working_directory: Dir.pwd,
        exceptions: [{ type: @error.class.to_s, message: utf8(@error.message), stack: stack }],
        paths: stack.map { |frame| frame[:path] }.uniq
      }
    end

    def utf8(text)
      text.to_s.dup.force_encoding(Encoding::UTF_8).scrub
    end

    # A header's value is visible ASCII.
    def ascii(text)
      text.gsub(/[^\x20-\x7e]/) { |character| format('\\u%04x', character.ord) }
    end
  end

  # The function's own code.
  class Handler
    def initialize(name)
      parts = name.split('.')
      unless [2, 3].include?(parts.length)
        raise ArgumentError,
              "Invalid handler #{name}, must be of form FILENAME.METHOD or FILENAME.CLASS.METHOD where FILENAME corresponds " \
              'with an existing Ruby source file FILENAME.rb, CLASS is an optional module/class namespace and METHOD is a ' \
              'callable method. If using CLASS, METHOD must be a class-level method.'
      end
      @file = parts.first
      @namespace = parts[1] if parts.length == 3
      @method = parts.last.to_sym
    end

    def load
      root = ENV.fetch('LAMBDA_TASK_ROOT') { Dir.pwd }
      $LOAD_PATH.unshift(root) unless $LOAD_PATH.include?(root)
      own = File.expand_path(@file, root)
      require(File.file?("#{own}.rb") ? own : @file)
    end

    # The body of the response, and its type.
    def call(event, context)
      receiver = @namespace ? Object.const_get(@namespace) : Kernel
      result = receiver.send(@method, event: event, context: context)
      result.respond_to?(:read) ? [result.read, 'application/unknown'] : [JSON.generate(result), 'application/json']
    end
  end

  # Asks, calls, answers.
  class Loop
    def initialize
      @api = RuntimeApi.new(ENV.fetch('AWS_LAMBDA_RUNTIME_API'))
      @handler_name = ENV.fetch('_HANDLER', '')
    end

    def run
      initialise
      loop { invoke(@api.next_invocation) }
    end

    private

    def initialise
      @handler = Handler.new(@handler_name)
      @handler.load
      LambdaLog.patch_logger
    rescue Exception => error
      failure = Failure.new(error, 'Init')
      LambdaLog.error("Init error when loading handler #{@handler_name}", failure.document)
      @api.post('init/error', failure.body, failure.headers)
      exit!(252)
    end

    def invoke(reply)
      raise "no invocation: status #{reply.status}" unless reply.status == 200

      headers = reply.headers
      LambdaLog.request_id = id = headers['lambda-runtime-aws-request-id']
      LambdaLog.patch_logger
      trace = headers['lambda-runtime-trace-id']
      trace ? ENV['_X_AMZN_TRACE_ID'] = trace : ENV.delete('_X_AMZN_TRACE_ID')
      attempt = headers['lambda-runtime-invocation-id']
      attempt = attempt ? { 'Lambda-Runtime-Invocation-Id' => attempt } : {}
      respond(id, reply, attempt)
    end

    def respond(id, reply, attempt)
      body, type = @handler.call(JSON.parse(reply.body), LambdaContext.new(reply.headers))
      @api.post("invocation/#{id}/response", body, attempt.merge('Content-Type' => type))
    rescue StandardError, ScriptError, SystemStackError => error
      report(id, error, 'Error raised from handler method', attempt)
    rescue Exception => error
      report(id, error, 'Critical exception from handler', attempt)
      exit!(error.is_a?(SystemExit) ? error.status : 1)
    end

    def report(id, error, message, attempt)
      failure = Failure.new(error, 'Function')
      LambdaLog.error(message, failure.document)
      @api.post("invocation/#{id}/error", failure.body, attempt.merge(failure.headers))
    end
  end
end

$stdout.sync = true
$stderr.sync = true
Dunlin::Loop.new.run
